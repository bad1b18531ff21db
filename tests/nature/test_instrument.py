"""Errors of instruments: their sizes, what stays for a run, and what a product says of itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from releo_da.nature.instrument import (
    CALIBRATION,
    SHIFT,
    Instrument,
    delivered,
    slope,
    standing,
)
from releo_da.sensors import channel_error, load_sensor
from releo_da.types import InputError

CHANNELS = ("B02", "B04", "B05", "B08", "B11")
EXACT = np.tile([0.03, 0.05, 0.11, 0.35, 0.22], (400, 1))
CLEAR = np.zeros(400)
NONE = Instrument(0.0, 0.0, 0.0, 0.0, 0.0)


def made(instrument: Instrument, seed: int = 1, time: float = 19000.0, **changes: object) -> tuple:
    noise = np.random.default_rng(seed).standard_normal(EXACT.shape)
    given = {"exact": EXACT, "opacity": CLEAR, "noise": noise, "channels": CHANNELS, **changes}
    return delivered(sensor="sentinel2a", time=time, instrument=instrument, seed=seed, **given)


def test_a_perfect_instrument_delivers_the_surface() -> None:
    values, error = made(NONE)
    assert np.array_equal(values, EXACT)
    claimed = channel_error("sentinel2a", CHANNELS, torch.from_numpy(EXACT)).numpy()
    assert np.array_equal(error, claimed)


def test_noise_is_the_catalogue_s_times_a_factor_and_the_claim_is_not() -> None:
    claimed = channel_error("sentinel2a", CHANNELS, torch.from_numpy(EXACT)).numpy()
    values, error = made(NONE._replace(noise=2.0))
    found = (values - EXACT).std(0) / claimed[0]
    assert found == pytest.approx(2.0, rel=4 / np.sqrt(2 * 400))
    assert error == pytest.approx(claimed, rel=0.2)


def test_calibration_stays_for_the_run_and_differs_between_runs() -> None:
    instrument = NONE._replace(calibration=0.03)
    gain = made(instrument)[0] / EXACT - 1
    assert np.ptp(gain, 0).max() < 1e-12
    assert np.allclose(gain, made(instrument, time=19010.0)[0] / EXACT - 1)
    many = np.stack([(made(instrument, seed)[0] / EXACT - 1)[0] for seed in range(400)])
    assert many.std() == pytest.approx(0.03, rel=4 / np.sqrt(2 * many.size))
    assert abs(many.mean()) < 4 * 0.03 / np.sqrt(many.size)
    assert np.abs(np.corrcoef(many.T) - np.eye(5)).max() < 4 / np.sqrt(400)


def test_errors_of_a_channel_do_not_depend_on_the_others() -> None:
    for what in (CALIBRATION, SHIFT):
        whole = standing(3, "sentinel2a", CHANNELS, what)
        assert standing(3, "sentinel2a", ("B08", "B02"), what).tolist() == [whole[3], whole[0]]
        assert standing(3, "sentinel2b", CHANNELS, what).tolist() != whole.tolist()


def test_a_shifted_response_sees_a_neighbouring_wavelength() -> None:
    """On a straight spectrum the value is that at the shifted centre."""
    centres = np.array([load_sensor("sentinel2a").centres[k]
                        for k in load_sensor("sentinel2a").index(CHANNELS)])  # fmt: skip
    line = np.tile(0.05 + 2e-4 * (centres - 400.0), (3, 1))
    values, _ = made(
        NONE._replace(spectral=1.0), exact=line, opacity=np.zeros(3), noise=np.zeros((3, 5))
    )
    assert values - line == pytest.approx(
        np.tile(2e-4 * standing(1, "sentinel2a", CHANNELS, SHIFT), (3, 1)), rel=1e-9
    )


def test_slopes_are_those_of_a_parabola_inside_and_0_of_one_channel() -> None:
    centres = np.array([800.0, 500.0, 600.0, 700.0, 600.0])
    values = (centres**2)[None] * 1e-6
    assert slope(values, centres)[0, [2, 3, 4]] == pytest.approx(2e-6 * centres[[2, 3, 4]])
    assert slope(values[:, :1], centres[:1]).tolist() == [[0.0]]


def test_the_atmosphere_is_one_of_a_pass() -> None:
    instrument = NONE._replace(atmosphere=0.02, haze=0.01)
    first, again, later = (made(instrument, time=t)[0] for t in (19000.4, 19000.4, 19005.4))
    assert np.array_equal(first, again)
    assert np.ptp(first, 0).max() == 0.0
    assert not np.allclose(first, later)
    hazy = made(NONE._replace(haze=0.01))[0] - EXACT
    assert np.all(np.diff(hazy[0]) < 0)  # most in the blue
    assert np.all(hazy > 0)


def test_thick_cloud_is_white_and_thin_cloud_between() -> None:
    thick = made(NONE, opacity=np.ones(400))[0]
    thin = made(NONE, opacity=np.full(400, 0.3))[0]
    assert np.all(thick[:, :4] > 0.5)
    assert np.allclose(thin, 0.7 * EXACT + 0.3 * thick)


def test_a_variable_has_no_wavelength() -> None:
    with pytest.raises(InputError, match="estimates: lai has no wavelength"):
        delivered(EXACT[:, :1], CLEAR, EXACT[:, :1], "estimates", ("lai",), 19000.0, NONE, 1)
