"""The forecasters of land surfaces, by name; each is made upon the one before it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from releo_da.config.document import Document, nearest
from releo_da.config.registry import Registry
from releo_da.config.upon import upon
from releo_da.dynamics.hybrid import Hybrid
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.dynamics.neural import Neural
from releo_da.dynamics.slow import SLOW
from releo_da.state.layout import RESIDUAL, Layout
from releo_da.types import InputError, Weather

WEATHER = "weather"
"""A forecaster with an argument of this name is given the weather of the run."""


def mean_reverting(
    layout: Layout,
    kernel: Literal["matern32", "ou", "matern32+ou"] = "matern32",
    harmonics: int = 2,
    days: float = 20.0,
    residual_days: float = 150.0,
    residual_sd: float = 0.015,
    own: Sequence[str] = (),
    own_harmonics: int = 2,
    own_years: float = 30.0,
) -> MeanReverting:
    """A seasonal mean, a process about it, slow residuals.

    Args:
        layout: the latent axis.
        kernel: ``matern32`` (position and velocity), ``ou`` (first order), or their sum.
        harmonics: of the seasonal mean.
        days: e-folding time of the variables where no fitted weights give it.
        residual_days: e-folding time of the residuals, likewise.
        residual_sd: deviation of the residuals (reflectance), likewise.
        own: variables of which each place has a season of its own, learned there year by year;
            ``residual`` stands for the residuals of all channels.
        own_harmonics: of that season, 0 for a level only.
        own_years: how long it is remembered, e-folding time in years.

    Raises:
        InputError: ``own`` names what is not estimated, or a number is out of range.
    """
    known = (*layout.names, RESIDUAL)
    for name in own:
        if name not in known:
            raise InputError(
                f"forecast.own: {name!r} is not estimated; choose from {', '.join(known)}"
            )
    if own_harmonics < 0 or not own_years > 0:
        raise InputError(
            f"forecast: own_harmonics is {own_harmonics} and own_years {own_years}; give 0 or more "
            "harmonics, and a positive number of years"
        )
    chosen = tuple(name for name in dict.fromkeys(own) if name != RESIDUAL)
    shaped = replace(
        layout,
        velocities=kernel != "ou",
        rough=kernel == "matern32+ou",
        own=chosen,
        own_harmonics=own_harmonics if own else 0,
        own_residual=RESIDUAL in own,
    )
    return MeanReverting(shaped, harmonics, days, residual_days, residual_sd, own_years)


@upon(mean_reverting)
def hybrid(base: MeanReverting, weather: Weather | None = None, strength: float = 1.0) -> Hybrid:
    """That of `mean_reverting`, moved by growth, senescence and soil water in unusual weather.

    Args:
        base: the season, and the process about it.
        weather: of the run; without it the season alone.
        strength: factor of all effects of weather; 0 switches them off.

    Raises:
        InputError: the strength is negative; or the weather has no temperature or is too short.
    """
    if not strength >= 0.0:
        raise InputError(f"strength is {strength}; give 0 for no effect of weather, or more")
    return Hybrid(base, weather, strength)


@upon(hybrid)
def neural(
    base: Hybrid,
    weather: Weather | None = None,
    drift: bool = True,
    diffusion: bool = True,
    slow: Sequence[str] = (),
    slow_years: float = 1.0,
    memory: int = 4,
    memory_days: float = 60.0,
    hidden: int = 24,
    looseness: float = 0.1,
    step: float = 5.0,
    calendar: bool = True,
) -> Neural:
    """That of `hybrid` with a network beside it that `train` teaches; untrained, `hybrid` itself.

    Args:
        base: the physics.
        weather: of the run; without it the season alone.
        drift: whether the network moves what the process returns to.
        diffusion: whether it scales the noise.
        slow: what differs between places and is estimated with the state: ``timing`` (days),
            ``vigour`` (how much a place makes of unusual weather).
        slow_years: how long it is remembered, e-folding time in years.
        memory: number of latents that the network keeps for itself.
        memory_days: their e-folding time before fitting.
        hidden: width of the network.
        looseness: prior standard deviation of its last weights; less holds it nearer to ``hybrid``.
        step: longest step (days).
        calendar: whether the network hears the day of the year and its length; the season of
            ``hybrid`` stays. Fitted on a single year it would know that year by the date.

    Raises:
        InputError: an unknown slow parameter, or a number out of range.
    """
    for name in slow:
        if name not in SLOW:
            raise InputError(f"slow: {name!r} is unknown; {nearest(name, SLOW)}")
    least = {"memory": (memory, 0), "hidden": (hidden, 1)}
    for key, (given, lowest) in least.items():
        if given < lowest:
            raise InputError(f"{key} is {given}; give {lowest} or more")
    positive = {
        "slow_years": slow_years,
        "memory_days": memory_days,
        "looseness": looseness,
        "step": step,
    }
    for key, number in positive.items():
        if not 0.0 < number < math.inf:
            raise InputError(f"{key} is {number}; give a positive number")
    chosen = tuple(dict.fromkeys(slow))
    return Neural(
        base, weather, chosen, slow_years, memory, memory_days, drift, diffusion, hidden,
        looseness, step, calendar,
    )  # fmt: skip


FORECASTERS = Registry(
    "forecaster",
    {"mean_reverting": mean_reverting, "hybrid": hybrid, "neural": neural},
    supplied=("layout", WEATHER),
)


def forecaster_entry(document: Document) -> object:
    """The configuration entry of the forecaster without what is not its own."""
    spec = document.values.get("forecast", "mean_reverting")
    if not isinstance(spec, dict):
        return spec
    others = ("weights", "correlated", "initial")
    return {key: value for key, value in spec.items() if key not in others}


def uses_weather(document: Document, registry: Registry = FORECASTERS) -> bool:
    """Whether the forecaster of a configuration has an argument for weather.

    Raises:
        InputError: it is unknown.
    """
    function, _ = registry.find(forecaster_entry(document), "forecast")
    return WEATHER in inspect.signature(function).parameters
