"""Output variables: the state itself and what follows from it by the same radiative transfer.

    ccc  = lai cab        canopy chlorophyll, g m-2       cwc = lai cw        canopy water, kg m-2
    fapar                 direct light absorbed, 400-700 nm, under the sun of the date
    fcover = 1 - gap fraction at nadir
    ndvi                  of a reference sensor, with the angles of the date

All are functions of each member, so their spread is that of the ensemble.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from releo_da.physics.absorbed import PAR, fapar, fcover
from releo_da.physics.optics import load_optics
from releo_da.state.variables import variables
from releo_da.types import Acquisition, InputError, ObservationOperator

DERIVED = {
    "ccc": ("g m-2", "canopy chlorophyll content"),
    "cwc": ("kg m-2", "canopy water content"),
    "fapar": ("1", "fraction of absorbed photosynthetically active radiation"),
    "fcover": ("1", "fraction of ground covered by green vegetation"),
    "ndvi": ("1", "normalised difference vegetation index"),
}
"""Unit and long name of each derived variable."""

DESCRIBED = {v.name: (v.unit, v.long_name) for v in variables().values()} | DERIVED
"""Unit and long name of every output variable."""

PAR_STEP = 20
"""Spacing of the wavelengths of fapar (nm)."""

Derive = Callable[[Tensor, Tensor], dict[str, Tensor]]


def derive(
    names: Sequence[str],
    decode: Callable[[Tensor], Mapping[str, Tensor]],
    observe: ObservationOperator,
    reference: str,
    ndvi: tuple[int, int] | None,
) -> Derive:
    """A function from an ensemble and angles to output variables.

    Args:
        names: output variables, state or derived.
        decode: latents to physical variables.
        observe: the observation operator, for ndvi.
        reference: the sensor whose channels ndvi is made of.
        ndvi: positions of its near infrared and red channels, or None where it has none.

    Returns:
        ``f(ensemble [pixel, member, latent], angles [pixel, 3]) -> {name: [pixel, member]}``.

    Raises:
        InputError: an unknown variable, or ndvi of a sensor without the channels.
    """
    for name in names:
        if name not in DESCRIBED:
            raise InputError(
                f"products: {name!r} is no output variable; choose from {', '.join(DESCRIBED)}"
            )
    if "ndvi" in names and ndvi is None:
        raise InputError(f"products: ndvi needs red and near-infrared channels of {reference}")

    def compute(ensemble: Tensor, angles: Tensor) -> dict[str, Tensor]:
        state = decode(ensemble)
        return {name: _one(name, state, ensemble, angles) for name in names}

    def _one(name: str, state: Mapping[str, Tensor], ensemble: Tensor, angles: Tensor) -> Tensor:
        if name in state:
            return state[name]
        if name == "ccc":
            return state["lai"] * state["cab"] * 0.01
        if name == "cwc":
            return state["lai"] * state["cw"] * 10.0
        if name == "fcover":
            return fcover(state["lai"], state["ala"])
        if name == "fapar":
            wavelengths = list(range(PAR[0], PAR[1] + 1, PAR_STEP))
            optics = load_optics(wavelengths, ensemble.dtype, ensemble.device)
            return fapar(state, angles[:, None, 0].to(ensemble), optics)
        assert ndvi is not None
        nothing = angles[:, :0]
        seen = observe(ensemble, Acquisition(0.0, reference, nothing, nothing, angles))
        high, low = seen[..., ndvi[0]], seen[..., ndvi[1]]
        return ((high - low) / (high + low).clamp_min(0.02)).clamp(-1.0, 1.0)

    return compute
