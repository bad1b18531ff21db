"""Channels that are indices: predicted from bands, with the bands' residuals and errors."""

from pathlib import Path

import pytest
import torch

from releo_da.observation.error import gain_moments
from releo_da.observation.offset import corrected, find_offsets
from releo_da.observation.prosail import ProsailOperator, nearest_knots
from releo_da.observation.quadrature import CHECK_DRAWS, band_quadrature, drawn
from releo_da.sensors import load_sensor
from releo_da.types import Acquisition

TEXT = """\
source: the tests
noise: {additive: 0.005, multiplicative: 0.02}
channels:
  NDVI: {normalised_difference: [B8, B4], noise: {additive: 0.02}}
  B4: {centre: 664.6, width: 31}
  B3: {centre: 559.8, width: 36}
  B11: {centre: 1613.7, width: 91}
bands:
  B8: {centre: 832.8, width: 106}
"""
CHANNELS = ("B3", "NDVI", "B4", "B11")
KNOTS = (560.0, 665.0, 833.0)


@pytest.fixture
def name(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    return str(path)


def test_the_error_of_an_index_is_that_of_its_bands_rule(name: str) -> None:
    """Stated on spectra that the rule was not fitted to; independent spectra agree."""
    rule = band_quadrature(load_sensor(name), CHANNELS)
    assert rule.weights.shape == (4, len(rule.wavelengths))
    assert rule.error.shape == (4,)
    sensor = load_sensor(name)
    fresh = drawn("ranges", 768, 7)
    nodes = torch.tensor(rule.wavelengths) - 400
    rows = list(sensor.behind(CHANNELS)[0])
    approximate, exact = fresh[:, nodes] @ rule.weights.T, fresh @ sensor.response[rows].T
    high, low = (sensor.behind(("NDVI",))[0].index(sensor.bands.index(b)) for b in ("B8", "B4"))
    assert (high, low) == (0, 1)

    def index(bands: torch.Tensor) -> torch.Tensor:
        near = bands[:, [sensor.bands[r] for r in rows].index("B8")]
        red = bands[:, [sensor.bands[r] for r in rows].index("B4")]
        return (near - red) / (near + red)

    error = (index(approximate) - index(exact)).square().mean().sqrt()
    assert float(error) == pytest.approx(float(rule.error[1]), rel=0.5)
    assert rule.error[[0, 2, 3]].max() <= 3e-4


def test_the_full_response_is_every_wavelength_and_has_no_error(name: str) -> None:
    sensor = load_sensor(name)
    rule = band_quadrature(sensor, CHANNELS, 0)
    rows = list(sensor.behind(CHANNELS)[0])
    used = sensor.response[rows].any(0)
    assert torch.tensor(rule.wavelengths).tolist() == (used.nonzero().flatten() + 400).tolist()
    assert torch.equal(rule.weights, sensor.response[rows][:, used])
    assert rule.error.tolist() == [0.0] * 4


def test_residuals_are_added_to_the_bands(name: str) -> None:
    """With a canopy whose bands are known, the index is that of bands plus residuals."""
    latents = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0)).double() * 0.01
    one = latents.new_ones(2, 3)
    canopy = {
        "n": 1.4, "cab": 45.0, "car": 10.0, "ant": 0.0, "cbrown": 0.1, "cw": 0.018, "cm": 0.005,
        "lai": 2.0, "ala": 58.0, "hspot": 0.2, "psoil": 0.5, "rsoil": 1.0,
    }  # fmt: skip
    angles = torch.tensor([[35.0, 5.0, 110.0]]).double().expand(2, 3)
    nothing = angles[:, :0]
    pass_ = Acquisition(0.0, name, nothing, nothing, angles)
    made = ProsailOperator(
        lambda z: {k: v * one for k, v in canopy.items()}, lambda z: z, {name: CHANNELS}, KNOTS
    )
    plain = made(torch.zeros_like(latents), pass_)
    moved = made(latents, pass_)
    assert nearest_knots(name, CHANNELS, KNOTS).tolist() == [0, 2, 1, 2]
    torch.testing.assert_close(
        moved[..., [0, 2, 3]], plain[..., [0, 2, 3]] + latents[..., [0, 1, 2]]
    )
    red, ratio = plain[..., 2], (1 + plain[..., 1]) / (1 - plain[..., 1])
    near = red * ratio + latents[..., 2]
    red = red + latents[..., 1]
    torch.testing.assert_close(moved[..., 1], (near - red) / (near + red))


def test_gains_are_derivatives(name: str) -> None:
    moments = gain_moments(name, CHANNELS)
    assert moments is not None
    gains = moments.diagonal(0, 1, 2)
    sensor = load_sensor(name)
    bands = [sensor.bands[row] for row in sensor.behind(CHANNELS)[0]]
    assert bands == ["B3", "B8", "B4", "B11"]
    assert torch.equal(gains[[0, 2, 3]], torch.eye(4, dtype=torch.float64)[[0, 2, 3]])
    spectra = drawn("ranges", CHECK_DRAWS, 1) @ sensor.response.T
    near, red = spectra[:, sensor.bands.index("B8")], spectra[:, sensor.bands.index("B4")]
    by_near, by_red = (2 * band / (near + red) ** 2 for band in (red, near))
    torch.testing.assert_close(gains[1, 1], by_near.square().mean())
    torch.testing.assert_close(moments[1, 1, 2], -(by_near * by_red).mean())
    assert gains[1, 0] == gains[1, 3] == 0
    assert gain_moments("sentinel2a", ("B04", "B08")) is None


def test_an_offset_is_looked_for_in_reflectances_alone(name: str) -> None:
    """+0.1 in every band of one product: bands are mended, its index is rejected."""
    series = []
    for k in range(12):
        bands = torch.tensor([0.08, 0.06, 0.25]).expand(5, 3) + 0.001 * ((k * 7) % 5)
        index = torch.full((5, 1), 0.6)
        values = torch.cat([bands[:, :1], index, bands[:, 1:]], 1)
        angles = torch.zeros(5, 3)
        error = torch.full_like(values, 0.01)
        series.append(Acquisition(5.0 * k, name, values, error, angles, f"product {k}"))
    channels = {name: CHANNELS}
    faulty = list(series)
    plain = torch.tensor([True, False, True, True])
    faulty[6] = series[6]._replace(values=torch.where(plain, series[6].values + 0.1, 0.45))
    (found,) = find_offsets(faulty, channels)
    assert (found.position, found.known) == (6, False)
    known = found._replace(offset=0.1, known=True)
    mended = corrected(faulty, [known], channels)[6]
    torch.testing.assert_close(mended.values[:, plain], series[6].values[:, plain])
    assert mended.seen[:, plain].all()
    assert not mended.seen[:, 1].any()
    assert (
        find_offsets([a._replace(values=a.values[:, 1:2]) for a in series], {name: ("NDVI",)}) == []
    )
