"""Clouds: how many, how they cluster in time and space, and what the mask misses."""

from __future__ import annotations

import numpy as np
import pytest

from releo_da.nature.clouds import Clouds, sky, weather

ROW, COLUMN = (10.0 * axis.ravel() for axis in np.indices((16, 16)))


def many(clouds: Clouds, passes: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    """Skies that have nothing in common, ``[pass, pixel]`` each; a seed per pass."""
    place = slice(None, None, 8)
    found = [sky(seed, 19000.0, ROW[place], COLUMN[place], clouds) for seed in range(passes)]
    opacity, flagged = (np.stack(part) for part in zip(*found, strict=True))
    return opacity, flagged


@pytest.mark.parametrize("cover", [0.2, 0.5, 0.8])
def test_the_mean_cover_is_the_one_asked_for(cover: float) -> None:
    opacity, flagged = many(Clouds(cover, 0.0, 0.06, 2.5, (3000.0, 150.0)))
    error = 4 * np.sqrt(cover * (1 - cover) / len(flagged))  # of fully correlated pixels
    assert flagged.mean() == pytest.approx(cover, abs=error)
    assert np.all(opacity[flagged] > 0.06)
    assert np.all(opacity[~flagged] <= 0.06)


def test_rims_are_thin_and_lie_around_clouds() -> None:
    """Without the option the mask sees every cloud; with it rims lie beside flagged pixels."""
    sharp, flagged = many(Clouds(0.5, 0.0, 0.0, 2.5, (3000.0, 150.0)), 200)
    assert np.array_equal(sharp > 0, flagged)
    soft, same = many(Clouds(0.5, 0.0, 0.06, 2.5, (3000.0, 150.0)), 200)
    assert np.array_equal(flagged, same)
    rims = (soft > 0) & ~same
    assert 0.005 < rims.mean() < 0.05
    assert same[rims.any(-1)].any(-1).mean() > 0.5


def test_undetected_cloud_is_a_share_of_what_is_flagged_clear() -> None:
    clouds = Clouds(0.5, 0.05, 0.0, 2.5, (3000.0, 150.0))
    opacity, flagged = many(clouds, 3000)
    missed = (opacity > 0) & ~flagged
    per_pass = missed.sum(-1), (~flagged).sum(-1)
    share = per_pass[0].sum() / per_pass[1].sum()
    assert share == pytest.approx(0.05, abs=4 * 0.05 / np.sqrt(3000 * 0.5 * 0.1))
    assert opacity[missed].min() >= 0.1
    assert 0.15 < opacity[missed].mean() < 0.35
    # In patches: most scenes have none, and neighbours share it far more than by chance.
    assert (missed.any(-1)).mean() < 0.15
    both = (missed[:, 1:] & missed[:, :-1]).sum() / missed[:, 1:].sum()
    assert both > 0.6


def test_weather_remembers_for_days() -> None:
    """Mean 0, variance 1 and correlation exp(-|dt| / days) over seeds."""
    lags = np.array([0.0, 1.0, 2.5, 5.0, 30.0])
    series = np.stack([weather(seed, 19000.0 + lags, 2.5) for seed in range(4000)])
    assert np.abs(series.mean(0)).max() < 4 / np.sqrt(4000)
    found = (series[:, :1] * series).mean(0)
    assert found == pytest.approx(np.exp(-lags / 2.5), abs=4 * np.sqrt(2 / 4000))


def test_cloudy_days_cluster_within_one_run() -> None:
    """A season of one seed is a series like any: days in a row are alike, weeks apart are not."""
    value = weather(7, np.arange(4000.0), 2.5)
    assert np.corrcoef(value[1:], value[:-1])[0, 1] == pytest.approx(np.exp(-0.4), abs=0.08)
    assert abs(np.corrcoef(value[15:], value[:-15])[0, 1]) < 0.1


def test_a_part_of_the_map_is_the_map_there() -> None:
    clouds = Clouds(0.5, 0.2, 0.06, 2.5, (3000.0, 150.0))
    whole = sky(3, 19001.45, ROW, COLUMN, clouds)
    some = np.array([250, 3, 77])
    for full, part in zip(whole, sky(3, 19001.45, ROW[some], COLUMN[some], clouds), strict=True):
        assert np.array_equal(full[some], part)
    assert not np.array_equal(whole[0], sky(3, 19006.45, ROW, COLUMN, clouds)[0])
    assert not np.array_equal(whole[0], sky(4, 19001.45, ROW, COLUMN, clouds)[0])


def test_a_sky_without_cover_has_only_what_is_missed() -> None:
    opacity, flagged = many(Clouds(0.0, 0.0, 0.06, 2.5, (3000.0, 150.0)), 5)
    assert not opacity.any()
    assert not flagged.any()
    opacity, flagged = many(Clouds(0.0, 0.3, 0.06, 2.5, (3000.0, 150.0)), 50)
    assert opacity.any()
    assert not flagged.any()
