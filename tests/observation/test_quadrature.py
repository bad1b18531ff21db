"""The band rule against the full spectral response, on spectra it has never seen."""

from dataclasses import replace

import pytest
import torch

from releo_da.observation.quadrature import (
    CHECK_DRAWS,
    POPULATIONS,
    Quadrature,
    band_quadrature,
    drawn,
)
from releo_da.sensors import Sensor, load_sensor, sensor_names
from releo_da.sensors.sensor import Band, Channel, make_sensor
from releo_da.types import InputError

LAND = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
CASES = [
    ("sentinel2a", LAND),
    ("sentinel2b", LAND),
    ("sentinel2a", None),
    ("landsat8", ("B1", "B2", "B3", "B4", "B5", "B6", "B7")),
    ("landsat9", None),
]


@pytest.fixture(scope="module", params=POPULATIONS)
def fresh(request) -> torch.Tensor:
    return drawn(request.param, 768, 99)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{'all' if case[1] is None else 'land'}")
def case(request) -> tuple[Sensor, tuple[str, ...]]:
    sensor = load_sensor(request.param[0])
    return sensor, request.param[1] or sensor.channels


def full(sensor: Sensor, channels: tuple[str, ...], spectra: torch.Tensor) -> torch.Tensor:
    return spectra @ sensor.response[list(sensor.index(channels))].T


def at_nodes(rule: Quadrature, spectra: torch.Tensor) -> torch.Tensor:
    return spectra[..., [wavelength - 400 for wavelength in rule.wavelengths]] @ rule.weights.T


def test_the_spectra_are_reproducible_reflectances_and_seeds_differ(fresh):
    again = drawn.__wrapped__("prior", 64, 99)
    assert torch.equal(again[:, ::50], drawn("prior", 64, 99)[:, ::50])
    assert fresh.isfinite().all()
    assert (fresh > 0).all() and (fresh < 1.5).all()
    assert not torch.equal(drawn("prior", 64, 98), again)


@pytest.mark.parametrize("tolerance", [3e-4, 1e-3])
def test_the_error_on_fresh_spectra_is_the_one_stated(case, tolerance):
    """Of the worse population; two means over as many draws differ as their squares vary."""
    sensor, channels = case
    rule = band_quadrature(sensor, channels, tolerance)
    used, fresh = (
        (at_nodes(rule, some) - full(sensor, channels, some)).square()
        for some in (
            torch.stack([drawn(name, CHECK_DRAWS, seed) for name in POPULATIONS])
            for seed in (1, 99)
        )
    )
    assert (rule.error <= tolerance).all()
    torch.testing.assert_close(rule.error, used.mean(1).sqrt().amax(0))
    assert (fresh.mean(1).sqrt() <= 1.3 * tolerance).all()
    doubt = ((used.var(1) + fresh.var(1)) / CHECK_DRAWS).sqrt()
    assert ((fresh.mean(1) - used.mean(1)).abs() <= 4 * doubt).all()


def test_the_rule_beats_one_wavelength_for_each_channel(fresh):
    sensor = load_sensor("sentinel2a")
    nearest = fresh[:, [round(sensor.centres[i]) - 400 for i in sensor.index(LAND)]]
    truth = full(sensor, LAND, fresh)
    one = (nearest - truth).square().mean(0).sqrt()
    rule = (at_nodes(band_quadrature(sensor, LAND), fresh) - truth).square().mean(0).sqrt()
    assert (rule < one).all()
    assert rule.max() < 0.2 * one.max()


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        (("landsat8", "B5"), ("sentinel2a", "B08"), 0.04, 0.07),
        (("landsat8", "B5"), ("sentinel2a", "B8A"), 0.0, 6e-4),
        (("sentinel2a", "B05"), ("sentinel2c", "B05"), 0.03, 0.04),
        (("sentinel2a", "B05"), ("sentinel2b", "B05"), 0.0, 4e-3),
    ],
    ids=["L8-NIR-S2-B08", "L8-NIR-S2-B8A", "S2A-S2C-B05", "S2A-S2B-B05"],
)
def test_responses_of_two_satellites_are_not_interchangeable(one, other, low, high):
    """Largest difference over canopies of channels that are taken for the same."""
    fresh = drawn("ranges", 1024, 99)
    seen = [full(load_sensor(sensor), (channel,), fresh) for sensor, channel in (one, other)]
    assert low <= float((seen[0] - seen[1]).abs().max()) <= high


@pytest.mark.parametrize("name", sorted(set(sensor_names()) - {"estimates"}))
def test_every_sensor_of_the_catalogue_has_a_rule_within_the_tolerance(name, fresh):
    sensor = load_sensor(name)
    rule = band_quadrature(sensor)
    error = (at_nodes(rule, fresh) - full(sensor, sensor.channels, fresh)).square().mean(0).sqrt()
    assert error.max() <= 1.3 * 3e-4
    assert len(rule.wavelengths) <= 3 * len(sensor.channels)


def test_weights_are_non_negative_sum_to_one_and_stay_where_the_channel_responds(case):
    sensor, channels = case
    rule = band_quadrature(sensor, channels)
    nodes = [wavelength - 400 for wavelength in rule.wavelengths]
    assert rule.weights.shape == (len(channels), len(nodes))
    assert (rule.weights >= 0).all()
    torch.testing.assert_close(rule.weights.sum(1), torch.ones(len(channels)).double())
    response = sensor.response[list(sensor.index(channels))]
    assert (response[:, nodes][rule.weights > 0] > 0).all()


def test_nodes_are_few_ascending_and_all_in_use(case):
    sensor, channels = case
    rule = band_quadrature(sensor, channels)
    assert len(rule.wavelengths) <= 2 * len(channels) + 1
    assert list(rule.wavelengths) == sorted(set(rule.wavelengths))
    assert (rule.weights.sum(0) > 0).all()


def test_a_wide_channel_lives_on_the_nodes_of_the_narrow_ones_in_it():
    with_it = band_quadrature(load_sensor("sentinel2a"), LAND)
    without = band_quadrature(load_sensor("sentinel2a"), tuple(c for c in LAND if c != "B08"))
    assert with_it.wavelengths == without.wavelengths


def test_a_flat_spectrum_gives_itself(case):
    rule = band_quadrature(*case)
    flat = torch.full((1, 2101), 0.37, dtype=torch.float64)
    torch.testing.assert_close(at_nodes(rule, flat), torch.full_like(rule.error, 0.37)[None])


def test_a_finer_tolerance_needs_more_nodes_and_is_met(fresh):
    sensor = load_sensor("sentinel2a")
    rules = [band_quadrature(sensor, LAND, tolerance) for tolerance in (1e-3, 3e-4, 1e-4, 1e-5)]
    counts = [len(rule.wavelengths) for rule in rules]
    assert counts == sorted(set(counts))
    assert rules[-1].error.max() <= 1e-5


def test_channels_come_in_the_order_asked_for():
    sensor = load_sensor("landsat8")
    one, other = band_quadrature(sensor, ["B5", "B4"]), band_quadrature(sensor, ["B4", "B5"])
    assert one.wavelengths == other.wavelengths
    assert torch.equal(one.weights, other.weights.flip(0))
    assert torch.equal(one.error, other.error.flip(0))


def test_the_rule_is_computed_once_and_computed_alike():
    sensor = load_sensor("landsat9")
    rule = band_quadrature(sensor)
    assert band_quadrature(sensor, list(sensor.channels)) is rule
    again = band_quadrature(replace(sensor))
    assert again is not rule
    assert again.wavelengths == rule.wavelengths
    assert torch.equal(again.weights, rule.weights)


def test_a_channel_of_one_wavelength_is_that_wavelength():
    response = torch.zeros(2101, dtype=torch.float64)
    response[265] = 1.0
    laser = make_sensor(
        "laser", "made up", [Band("L", response, "tabulated")], [Channel("L", ("L",), 0.0, 0.0)]
    )
    rule = band_quadrature(laser)
    assert rule.wavelengths == (665,)
    assert rule.weights.tolist() == [[1.0]]
    assert rule.error.tolist() == [0.0]


def test_bad_arguments_are_answered_with_the_remedy():
    sensor = load_sensor("sentinel2a")
    with pytest.raises(InputError, match="no channel 'B2'; did you mean 'B02'"):
        band_quadrature(sensor, ["B2"])
    with pytest.raises(InputError, match="name at least one"):
        band_quadrature(sensor, [])
    with pytest.raises(InputError, match="use 1e-05 or more"):
        band_quadrature(sensor, LAND, 1e-7)
    with pytest.raises(InputError, match="use 1e-05 or more"):
        band_quadrature(sensor, LAND, float("nan"))
