"""The operator against the full spectrum, its residuals, its errors and its gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from releo_da.observation.error import ObservationError
from releo_da.observation.prosail import NodeBands, ProsailOperator, nearest_knots
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import prosail
from releo_da.sensors import load_sensor
from releo_da.state.layout import Layout
from releo_da.state.prior import prior_ensemble
from releo_da.state.variables import variables
from releo_da.types import Acquisition

S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
L8 = ("B2", "B3", "B4", "B5", "B6", "B7")
CHANNELS = {"sentinel2a": S2, "landsat8": L8}
ALL = load_sensor("sentinel2a")
KNOTS = tuple(ALL.centres[k] for k in ALL.index(S2))
LAYOUT = Layout(tuple(n for n in variables() if n != "ant"), {"ant": 0.0}, True, KNOTS)


def operator(tolerance: float = 3e-4) -> ProsailOperator:
    return ProsailOperator(
        LAYOUT.decode, LAYOUT.residual, CHANNELS, KNOTS, NodeBands(CHANNELS, tolerance)
    )


def ensemble(pixels: int, members: int, residual: float = 0.0) -> Tensor:
    """Prior draws of the variables with velocities and, if asked, a residual per channel."""
    generator = torch.Generator().manual_seed(3)

    def noise(shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    z = prior_ensemble(pixels, members, LAYOUT.names, noise)
    rest = residual * noise((pixels, members, len(KNOTS)))
    return torch.cat([z, noise(z.shape), rest], -1)


def acquisition(sensor: str, pixels: int, error: float = 0.01) -> Acquisition:
    channels = len(CHANNELS[sensor])
    angles = torch.linspace(20.0, 60.0, pixels).double()
    geometry = torch.stack([angles, angles / 6.0, 3.0 * angles - 30.0], -1)
    values = torch.full((pixels, channels), 0.2, dtype=torch.float64)
    return Acquisition(0.0, sensor, values, torch.full_like(values, error), geometry)


@pytest.mark.parametrize("sensor", CHANNELS)
def test_channels_are_those_of_the_whole_spectrum_under_the_response(sensor: str) -> None:
    described, pass_, members = load_sensor(sensor), acquisition(sensor, 6), ensemble(6, 40)
    optics = load_optics(dtype=torch.float64)
    tts, tto, psi = pass_.angles[:, None].unbind(-1)
    spectra = prosail(LAYOUT.decode(members), tts, tto, psi, optics)
    response = described.response[list(described.index(CHANNELS[sensor]))]
    made = operator()
    error = made(members, pass_) - spectra @ response.T
    stated = made.bands.error[sensor]
    assert stated.max() <= 3e-4
    # Stated over the rule's own ranges; the prior of the state holds drier leaves.
    assert (error.square().mean((0, 1)).sqrt() <= 3.0 * stated).all()
    assert error.abs().max() < 5e-3


def test_angles_are_those_of_each_pixel() -> None:
    pass_, members = acquisition("sentinel2a", 4), ensemble(4, 8)
    whole = operator()(members, pass_)
    for k in range(4):
        one = pass_._replace(angles=pass_.angles[k : k + 1])
        torch.testing.assert_close(operator()(members[k : k + 1], one), whole[k : k + 1])
    turned = pass_._replace(angles=pass_.angles.flip(0))
    assert (operator()(members, turned) - whole).abs().max() > 1e-3


def test_a_channel_takes_the_residual_of_the_nearest_knot() -> None:
    nearest = nearest_knots("landsat8", L8, KNOTS)
    assert [S2[k] for k in nearest] == ["B02", "B03", "B04", "B8A", "B11", "B12"]
    assert nearest_knots("sentinel2a", S2, KNOTS).tolist() == list(range(len(S2)))
    made, pass_ = operator(), acquisition("landsat8", 2)
    with_residual = ensemble(2, 5, residual=0.02)
    without = with_residual.clone()
    without[..., LAYOUT.dynamic :] = 0.0
    added = made(with_residual, pass_) - made(without, pass_)
    torch.testing.assert_close(added, with_residual[..., LAYOUT.dynamic :][..., nearest])
    assert added.abs().max() > 0.02


def test_a_request_has_no_channels() -> None:
    nothing = torch.zeros(3, 0, dtype=torch.float64)
    request = Acquisition(0.0, "", nothing, nothing, torch.zeros(3, 3))
    assert operator()(ensemble(3, 4), request).shape == (3, 4, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_and_reach_variables_and_residuals(dtype: torch.dtype) -> None:
    members = ensemble(3, 8)
    members[0, 0, : len(LAYOUT.names)] = 8.0  # at the upper and at the lower bounds
    members[0, 1, : len(LAYOUT.names)] = -8.0
    latents = members.to(dtype).requires_grad_()
    predicted = operator()(latents, acquisition("sentinel2a", 3))
    assert predicted.dtype == dtype
    (gradient,) = torch.autograd.grad(predicted.square().sum(), latents)
    assert gradient.isfinite().all()
    lai = LAYOUT.names.index("lai")
    assert (gradient[1:, :, lai] != 0).all()
    assert (gradient[..., LAYOUT.dynamic :] != 0).all()
    assert (gradient[..., len(LAYOUT.names) : LAYOUT.dynamic] == 0).all()  # velocities are unseen


@pytest.fixture
def error() -> ObservationError:
    made = operator()
    whole = ObservationError(CHANNELS, KNOTS, made.bands.error, 0.012)
    with torch.no_grad():
        whole.log_representativeness += torch.linspace(-0.5, 0.5, len(KNOTS))
    return whole


def test_errors_add_in_quadrature_and_what_was_not_seen_stays_infinite(
    error: ObservationError,
) -> None:
    pass_ = acquisition("landsat8", 3)
    pass_.error[1, 2] = math.inf
    whole = error(pass_).error
    nearest = nearest_knots("landsat8", L8, KNOTS)
    own = error.log_representativeness.exp()[nearest].square()
    expected = (0.01**2 + own + error.operator["landsat8"].double().square()).sqrt()
    torch.testing.assert_close(whole[[0, 2]], expected.detach().expand(2, -1))
    assert whole[1, 2] == math.inf
    assert whole[1].isfinite().sum() == len(L8) - 1
    assert pass_.error[0, 0] == 0.01  # the input is as it was
    single = pass_._replace(error=pass_.error.float(), values=pass_.values.float())
    assert error(single).error.dtype == torch.float32


def test_gradients_reach_representativeness_through_masks(error: ObservationError) -> None:
    pass_ = acquisition("sentinel2a", 2)
    pass_.error[:, 0] = math.inf
    error(pass_).precision.sum().backward()
    gradient = error.log_representativeness.grad
    assert gradient is not None
    assert gradient[0] == 0
    assert (gradient[1:] < 0).all()  # more error, less precision


def test_a_request_keeps_its_error(error: ObservationError) -> None:
    nothing = torch.zeros(3, 0, dtype=torch.float64)
    request = Acquisition(0.0, "", nothing, nothing, torch.zeros(3, 3))
    assert error(request) is request
