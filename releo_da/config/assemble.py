"""From a checked document to a joined system: the one place that chooses implementations by name.

Each section of a configuration names a function below or in the package; its options are that
function's arguments. Nothing here computes: it reads, binds and hands instances to `releo_da.runs`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from releo_da.assimilation.sequence import followed
from releo_da.config.bias import biased, biases_of, with_biases
from releo_da.config.correlated_errors import (
    analyse_of,
    coloured_of,
    impact_of,
    reasons_of,
    refuse_other_channels,
    tally_of,
)
from releo_da.config.document import Document
from releo_da.config.encoded import state_entry
from releo_da.config.experience import beyond
from releo_da.config.forecasters import FORECASTERS, forecaster_entry, uses_weather
from releo_da.config.observing import Observation, observation_of
from releo_da.config.registry import Registry, bind
from releo_da.config.schemes import SCHEMES, gathers, smoother_of, supplied
from releo_da.config.sections import products, score, section
from releo_da.config.sensor_paths import refuse_namesakes
from releo_da.config.weight_paths import weights_at
from releo_da.config.weights import FAR, fitted_knots, load_weights
from releo_da.cycling.fields import Correlated, correlated
from releo_da.dynamics.drifting import Drifting
from releo_da.dynamics.hybrid import Hybrid
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.dynamics.neural import Neural
from releo_da.observation.derived import Derive, derive, described
from releo_da.observation.error import ObservationError
from releo_da.observation.estimates import EstimateOperator, SplitOperator, split
from releo_da.observation.prosail import ProsailOperator
from releo_da.observation.structure import widened
from releo_da.runs.model import Model
from releo_da.sensors import load_sensor
from releo_da.state.layout import Layout
from releo_da.state.variables import OPTIONAL, variables
from releo_da.types import InputError, ObservationOperator, Weather

LARGEST_TAIL = 4.0
"""Standard deviations by which the mean of a prior may lie outside the variable's bounds."""


def prosail_state(
    prior: Literal["atbd"] = "atbd",
    fixed: Mapping[str, float] | None = None,
    add: Sequence[str] = (),
    priors: Mapping[str, Sequence[float]] | None = None,
) -> tuple[tuple[str, ...], dict[str, float], dict[str, tuple[float, float]]]:
    """The variables of PROSPECT-D, 4SAIL and the soil with the priors of the table.

    Args:
        prior: ``atbd``, the truncated normals of the Sentinel-2 biophysical processor.
        fixed: variables held at a value; anthocyanins at 0 unless given.
        add: variables estimated beside the usual ones: ``soil_moisture``, for which the soil under
            the water is the dry one (psoil 1) unless fixed or added; ``ant``.
        priors: ``{variable: [mean, sd]}`` of the normal that is truncated to the variable's bounds,
            instead of the table's; the mean may lie outside of them.

    Raises:
        InputError: a variable is not in the table, is fixed outside its bounds, or is both fixed
            and added; a prior is no pair, of a variable that is not estimated, or lies so far
            outside of the bounds that nothing of it is left.
    """
    held = {"ant": 0.0, **({"psoil": 1.0} if "soil_moisture" in add else {})}
    variables(tuple(add))
    for name, value in (fixed or {}).items():
        known = variables((name,))[name]
        if name in add:
            raise InputError(f"{name} is both in fixed and in add; remove it from one")
        if not known.lower <= value <= known.upper:
            raise InputError(f"fixed.{name} is {value}; give {known.lower} to {known.upper}")
        held[name] = value
    names = dict.fromkeys((*variables(), *add))
    held = {name: value for name, value in held.items() if name not in add}
    estimated = tuple(n for n in names if n not in held)
    return estimated, held, {name: _prior(name, p, estimated) for name, p in (priors or {}).items()}


def _prior(name: str, given: Sequence[float], estimated: Sequence[str]) -> tuple[float, float]:
    """Mean and standard deviation of a prior, checked."""
    if name not in estimated:
        raise InputError(f"priors: {name!r} is not estimated; choose from {', '.join(estimated)}")
    if len(given) != 2 or not given[1] > 0.0 or not math.isfinite(given[0] + given[1]):
        raise InputError(f"priors.{name} is {list(given)}; give [mean, sd] with a positive sd")
    known = variables((name,))[name]
    nearest = min(max(given[0], known.lower), known.upper)
    if abs(given[0] - nearest) > LARGEST_TAIL * given[1]:
        raise InputError(
            f"priors.{name} is {list(given)}: {known.lower:g} to {known.upper:g} lie more than "
            f"{LARGEST_TAIL:g} sd from its mean; give a mean nearer to them"
        )
    return given[0], given[1]


STATES = Registry("state", {"prosail": prosail_state})


@dataclass(frozen=True)
class Assembly:
    """A joined system with the parts that can be fitted.

    Attributes:
        model: what runs need.
        forecaster: its module of learned dynamics.
        error: its module of observation error.
        layout: the latent axis, up to the biases of sensors.
        dynamics: what carries the whole of it: the forecaster, or one with the biases behind it.
        structural: what the canopy model leaves open of leaf area (logarithm).
    """

    model: Model
    forecaster: MeanReverting | Hybrid | Neural
    error: ObservationError
    layout: Layout
    dynamics: MeanReverting | Hybrid | Neural | Drifting
    structural: float = 0.0

    @property
    def latents(self) -> list[str]:
        """What each latent of a state is, biases of sensors included, in their order."""
        biases = self.model.biases
        return [*self.layout.latents, *(() if biases is None else biases.names)]


def knots_of(
    channels: Mapping[str, tuple[str, ...]], seen: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[float, ...]:
    """Wavelengths (nm) where residuals live: centres of the sensor with most bands; none without.

    A band that is hidden has no residual of its own: no fit would find its mean and no analysis its
    value. It takes those of the nearest band, as a band of another sensor does, unless all are far.

    Args:
        channels: for each sensor, all of its channels.
        seen: for each sensor those that are not hidden; all unless given.
    """

    def centres(sensor: str, names: tuple[str, ...]) -> tuple[float, ...]:
        described = load_sensor(sensor)
        return tuple(described.band_centres[k] for k in described.behind(names)[0])

    def widest(among: Mapping[str, tuple[str, ...]]) -> tuple[float, ...]:
        return max((centres(*one) for one in among.items()), key=len, default=())

    knots = widest(channels if seen is None else seen)
    apart = (
        c for c in widest(channels) if min((abs(c - k) for k in knots), default=math.inf) > FAR
    )
    return (*knots, *apart)


def assemble(
    document: Document,
    channels: Mapping[str, tuple[str, ...]],
    weights: Path | None = None,
    device: torch.device | str = "cpu",
    weather: Weather | None = None,
) -> Assembly:
    """The system that a configuration describes, for the sensors of its series.

    Args:
        document: the configuration.
        channels: for each sensor, the channels of its acquisitions.
        weights: fitted parameters; those the configuration names when None.
        device: where tensors live.
        weather: bound to the pixels of the run, for a forecaster with an argument of that name.

    Raises:
        InputError: an unknown component or option, two sensors of one name, or weights that do not
            fit.
    """
    refuse_namesakes(channels)
    refuse_other_channels(document, channels)
    names, fixed, priors = STATES.build(state_entry(document), "state")
    wanted = _wanted(document, (*names, *fixed))
    open_ = section(document, "products", products).structural
    spec, weights, fields = _dynamics(document, weights)
    bands, estimates = split(channels)
    rule = section(document, "score", score).withhold
    seen = bands if rule is None else rule.visible(bands)
    knots = (weights and fitted_knots(weights, bands)) or knots_of(bands, seen)
    provided = {"layout": Layout(names, fixed, True, knots, priors=priors), "weather": weather}
    forecaster = FORECASTERS.build(spec, "forecast", provided)
    layout, observation = forecaster.layout, observation_of(document)
    operator, error = _observed(observation, layout, bands, estimates, knots, device)
    biases = biases_of(observation.bias, channels)
    if weights is not None:
        load_weights(weights, layout, forecaster, error)
    forecaster.to(device).requires_grad_(False)
    error.to(device).requires_grad_(False)
    dynamics = Drifting(forecaster, forecaster.initial, biases) if biases else forecaster
    # Of a forecaster with a network the transition is a part; ensembles know the whole.
    lawful = hasattr(forecaster, "transition") and not isinstance(forecaster, Neural)
    linear = dynamics.transition if lawful else None
    model = Model(
        forecast=dynamics,
        observe=biased(operator, biases, channels),
        analyse=SCHEMES.build(analyse_of(document), "analyse", supplied(document, dynamics)),
        error=error,
        initial=dynamics.initial,
        smooth=smoother_of(document, linear),
        derive=with_biases(
            made_open(derive(wanted, layout.decode, operator, bands), open_), biases
        ),
        channels=dict(channels),
        described=described(wanted) | (biases.described if biases else {}),
        reasons=reasons_of(document),
        tally=tally_of(document),
        coloured=coloured_of(document),
        follow=followed,
        impact=impact_of(document),
        gathers=gathers(document),
        correlated=fields,
        biases=biases,
        covers=covered(weather) if uses_weather(document, FORECASTERS) else None,
        unmet=partial(beyond, forecaster) if isinstance(forecaster, Neural) else None,
    )
    return Assembly(model, forecaster, error, layout, dynamics, open_)


def made_open(surface: Derive, structural: float) -> Derive:
    """Output variables with what the canopy model leaves open of leaf area."""
    if structural == 0.0:
        return surface
    return lambda ensemble, angles: widened(surface(ensemble, angles), structural)


def covered(weather: Weather | None) -> tuple[float, float] | None:
    """The first and the last instant of a record of weather (days)."""
    if weather is None:
        return None
    return float(weather.first), float(weather.first + len(weather.values))


def _wanted(document: Document, known: Sequence[str]) -> tuple[str, ...]:
    """The output variables; those that are no part of every state must be part of this one."""
    wanted: tuple[str, ...] = section(document, "products", products).variables
    for name in OPTIONAL:
        if name in wanted and name not in known:
            raise InputError(
                f"products: {name} is no part of this state; write state: "
                f"{{name: prosail, add: [{name}]}}, or leave it out"
            )
    return wanted


def _dynamics(
    document: Document, weights: Path | None
) -> tuple[Any, Path | None, Correlated | None]:
    """The forecaster's entry without what is not its own; weights given or named; correlation."""
    spec = document.values.get("forecast", "mean_reverting")
    if not isinstance(spec, dict):
        return spec, weights, None
    rest = forecaster_entry(document)
    weights = weights or weights_at(document, "forecast.weights")
    if spec.get("correlated") is None:
        return rest, weights, None
    where = "forecast.correlated"
    bound = bind(correlated, spec["correlated"], where)
    try:
        return rest, weights, bound()
    except InputError as error:
        raise InputError(f"{document.path}: {where}: {error}") from None


def _observed(
    observation: Observation,
    layout: Layout,
    channels: Mapping[str, tuple[str, ...]],
    estimates: Mapping[str, tuple[str, ...]],
    knots: tuple[float, ...],
    device: torch.device | str,
) -> tuple[ObservationOperator, ObservationError]:
    """The observation operator, of bands and of estimates, and the error that goes with it."""
    known = (*layout.names, *layout.fixed)
    bands = observation.bands(channels, known, device)
    operator: ObservationOperator = ProsailOperator(
        layout.decode, layout.residual, channels, knots, bands
    )
    if estimates:
        operator = SplitOperator(operator, EstimateOperator(layout.decode, estimates, known))
    error = ObservationError(
        channels, knots, bands.error, observation.representativeness, bands.zeniths
    )
    return operator, error
