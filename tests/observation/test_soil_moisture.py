"""Soil moisture as a state variable: what shortwave infrared channels say of it, and where."""

from __future__ import annotations

import torch

from releo_da.assimilation.etkf import etkf
from releo_da.observation.prosail import ProsailOperator
from releo_da.state.layout import Layout
from releo_da.state.prior import prior_ensemble
from releo_da.state.variables import OPTIONAL, variables
from releo_da.types import Acquisition

VISIBLE = ("B02", "B03", "B04", "B08")
INFRARED = (*VISIBLE, "B11", "B12")
ESTIMATED = ("rsoil", "soil_moisture")
PIXELS, MEMBERS, NOISE = 64, 128, 0.01


def retrieval(channels: tuple[str, ...], lai: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Spread of soil moisture after one acquisition over that before, and the error of its mean.

    The truth is a draw of the prior; brightness of the soil is unknown too.
    """
    table = variables()
    fixed = {name: max(v.mean, v.lower) for name, v in table.items() if name not in ESTIMATED}
    layout = Layout(ESTIMATED, {**fixed, "lai": lai, "psoil": 1.0}, velocities=False)
    operator = ProsailOperator(layout.decode, layout.residual, {"sentinel2a": channels})
    generator = torch.Generator().manual_seed(3)

    def noise(shape):
        return torch.randn(tuple(shape), generator=generator, dtype=torch.float64)

    truth = prior_ensemble(PIXELS, 1, ESTIMATED, noise)
    prior = prior_ensemble(PIXELS, MEMBERS, ESTIMATED, noise)
    angles = torch.tensor([35.0, 5.0, 60.0], dtype=torch.float64).expand(PIXELS, 3)
    nothing = angles[:, :0]
    look = Acquisition(0.0, "sentinel2a", nothing, nothing, angles)
    exact = operator(truth, look)[:, 0]
    values = exact + NOISE * noise(exact.shape)
    precision = torch.full_like(values, NOISE**-2)
    found = etkf(prior, lambda z: operator(z, look), values, precision, noise, {}).ensemble
    moisture = [layout.decode(z)["soil_moisture"] for z in (truth, prior, found)]
    spread = (moisture[2].std(1) / moisture[1].std(1)).mean()
    return spread, (moisture[2].mean(1) - moisture[0][:, 0]).square().mean().sqrt()


def test_infrared_channels_tell_moisture_from_brightness_over_bare_soil() -> None:
    spread, error = retrieval(VISIBLE, lai=0.1)
    narrow, close = retrieval(INFRARED, lai=0.1)
    assert narrow < 0.5
    assert narrow < 0.7 * spread
    assert close < 0.7 * error


def test_a_dense_canopy_hides_the_soil() -> None:
    spread, _ = retrieval(INFRARED, lai=7.0)
    assert spread > 0.9


def test_it_is_part_of_a_state_on_request_only() -> None:
    assert OPTIONAL == ("soil_moisture",)
    assert "soil_moisture" not in variables()
    assert variables(OPTIONAL)["soil_moisture"].unit == "m3 m-3"
