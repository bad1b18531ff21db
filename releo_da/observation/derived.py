"""Output variables: the state itself and what follows from it by the same radiative transfer.

    ccc = lai cab   canopy chlorophyll, g m-2        cwc = lai cw   canopy water, kg m-2
    lai_green = lai g               the part of it that is green (`releo_da.physics.greenness`)
    fapar           light of 400-700 nm that leaves absorb: direct, diffuse, or both (total)
    albedo          light of 400-2500 nm sent back: of both (blue sky), direct (black), diffuse
                    (white)
    fcover = 1 - gap fraction at nadir
    ndvi, nbr, nd_B08_B11 ...   indices of channels of the run's sensors

Sun and view are those of the date, the sky is clear (`releo_da.physics.light`). All are
differentiable functions of each member, so their spread is that of the ensemble. An index is made
of the channels of the sensor with most channels among those that have both
(`releo_da.sensors.indices`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial

from torch import Tensor

from releo_da.physics.absorbed import PAR, fapar, fapar_diffuse, fapar_total, fcover
from releo_da.physics.albedo import NODES, Albedo, broadband_albedo
from releo_da.physics.greenness import green_share
from releo_da.physics.optics import Optics, load_optics
from releo_da.sensors import load_sensor
from releo_da.sensors.indices import (
    INDICES,
    Index,
    find_index,
    index_long_name,
    is_index,
    of_channels,
)
from releo_da.sensors.names import nearest
from releo_da.state.variables import OPTIONAL, variables
from releo_da.types import Acquisition, InputError, ObservationOperator

FAPAR = "fraction of absorbed photosynthetically active radiation"
ALBEDO = "albedo of 400-2500 nm"

DERIVED = {
    "lai_green": ("m2 m-2", "green leaf area index"),
    "ccc": ("g m-2", "canopy chlorophyll content"),
    "cwc": ("kg m-2", "canopy water content"),
    "fapar": ("1", f"{FAPAR}, direct sunlight"),
    "fapar_diffuse": ("1", f"{FAPAR}, diffuse light"),
    "fapar_total": ("1", f"{FAPAR}, direct and diffuse light of a clear sky"),
    "fcover": ("1", "fraction of ground covered by green vegetation"),
    "albedo": ("1", f"{ALBEDO}, direct and diffuse light of a clear sky (blue sky)"),
    "albedo_black_sky": ("1", f"{ALBEDO}, direct sunlight"),
    "albedo_white_sky": ("1", f"{ALBEDO}, diffuse light"),
}
"""Unit and long name of each derived variable that needs no channel."""

OUTPUTS = (*variables(), *OPTIONAL, *DERIVED, *INDICES)
"""Names of output variables; beside them ``nd_HIGH_LOW`` of any two channels."""

PAR_STEP = 20
"""Spacing of the wavelengths of fapar (nm), the middles of as many equal parts of its range."""

Derive = Callable[[Tensor, Tensor], dict[str, Tensor]]


def described(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Unit and long name of output variables.

    Raises:
        InputError: a name is no output variable.
    """
    table = variables((*variables(), *OPTIONAL)).values()
    known = {v.name: (v.unit, v.long_name) for v in table} | DERIVED
    found = {}
    for name in names:
        if is_index(name):
            found[name] = ("1", index_long_name(name))
        elif name in known:
            found[name] = known[name]
        else:
            raise InputError(
                f"products: {name!r} is no output variable; {nearest(str(name), OUTPUTS)}choose "
                f"from {', '.join(OUTPUTS)}, "
                "or nd_HIGH_LOW of two channels"
            )
    return found


def output_units() -> dict[str, str]:
    """Unit of every output variable, by its name."""
    return {name: unit for name, (unit, _) in described(OUTPUTS).items()}


def quantities(
    names: Sequence[str],
    state: Mapping[str, Tensor],
    tts: Tensor,
    at: Callable[[Sequence[int]], Optics],
) -> dict[str, Tensor]:
    """Derived variables that need no channel.

    Args:
        names: of `DERIVED`.
        state: physical variables, each ``[...]``.
        tts: sun zenith in degrees, broadcastable to ``[...]``.
        at: the coefficient tables of leaf and soil at wavelengths.

    Returns:
        ``{name: [...]}``; units as in `DERIVED`.
    """
    par = at(range(PAR[0] + PAR_STEP // 2, PAR[1], PAR_STEP))

    @cache
    def light() -> Albedo:
        return broadband_albedo(state, tts, at(NODES))

    compute = {
        "lai_green": lambda: state["lai"] * green_share(state["cab"], state["cbrown"]),
        "ccc": lambda: state["lai"] * state["cab"] * 0.01,
        "cwc": lambda: state["lai"] * state["cw"] * 10.0,
        "fapar": lambda: fapar(state, tts, par),
        "fapar_diffuse": lambda: fapar_diffuse(state, par),
        "fapar_total": lambda: fapar_total(state, tts, par),
        "fcover": lambda: fcover(state),
        "albedo": lambda: light().blue,
        "albedo_black_sky": lambda: light().black,
        "albedo_white_sky": lambda: light().white,
    }
    return {name: compute[name]() for name in names}


def derive(
    names: Sequence[str],
    decode: Callable[[Tensor], Mapping[str, Tensor]],
    observe: ObservationOperator,
    channels: Mapping[str, tuple[str, ...]],
) -> Derive:
    """A function from an ensemble and angles to output variables.

    Args:
        names: output variables: state, derived or index.
        decode: latents to physical variables.
        observe: the observation operator, for indices.
        channels: for each sensor of the operator, its channels.

    Returns:
        ``f(ensemble [pixel, member, latent], angles [pixel, 3]) -> {name: [pixel, member]}``.

    Raises:
        InputError: an unknown variable, or an index whose channels no sensor has.
    """
    described(names)
    indices = {name: _index(name, channels) for name in names if is_index(name)}
    plain = [name for name in names if name in DERIVED]

    def compute(ensemble: Tensor, angles: Tensor) -> dict[str, Tensor]:
        state = decode(ensemble)
        found = dict(state)
        at = partial(load_optics, dtype=ensemble.dtype, device=ensemble.device)
        found |= quantities(plain, state, angles[:, None, 0].to(ensemble), at)
        nothing = angles[:, :0]
        seen = {
            sensor: observe(ensemble, Acquisition(0.0, sensor, nothing, nothing, angles))
            for sensor in {sensor: None for sensor, _ in indices.values()}
        }
        for name, (sensor, index) in indices.items():
            found[name] = of_channels(seen[sensor], index)
        return {name: found[name] for name in names}

    return compute


def _index(name: str, channels: Mapping[str, tuple[str, ...]]) -> tuple[str, Index]:
    """The sensor that an index is made of, the one with most channels first, and positions."""
    for sensor in sorted(channels, key=lambda s: -len(channels[s])):
        index = find_index(name, load_sensor(sensor), channels[sensor])
        if index is not None:
            return sensor, index
    raise InputError(
        f"products: {name} cannot be formed of the channels of this run ("
        + (
            "; ".join(f"{sensor}: {', '.join(names)}" for sensor, names in channels.items())
            or "none"
        )
        + "); add the channels that it needs to the source, or leave it out"
    )
