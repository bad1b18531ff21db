"""Which variable rivals forecast: NDVI, or what a run observes first where it has none."""

from typing import cast
from unittest.mock import Mock

import numpy as np
import pytest

from releo_da.diagnostics.baselines import Series, series
from releo_da.runs.baselines import MEAN, OTHERS, rows, said
from releo_da.runs.hindcast import Outcome
from releo_da.runs.scoring import rivals_left_out
from releo_da.runs.withhold import Held

DATES = 17000.0 + 8 * np.arange(60)


@pytest.fixture
def leaf_area() -> Series:
    """Three places with a season of 4 and noise of 0.1."""
    noise = 0.1 * np.random.default_rng(0).standard_normal((3, 60))
    return series(DATES, 2.0 - 2.0 * np.cos(2 * np.pi * DATES / 365.25) + noise)


def test_leaf_area_alone_has_rivals(leaf_area: Series) -> None:
    every = np.ones((3, 60), dtype=bool)
    table = {"lai": leaf_area}
    found = rows(said(table, table, {}, [5], every))
    persistence = found["persistence"]["forecast"]["5"]["lai"]
    moved = np.diff(leaf_area.values)  # the latest date that is 5 days older is 8 days older
    assert persistence["rmse"] == pytest.approx(np.sqrt(np.mean(moved**2)))
    assert found["harmonic"]["forecast"]["5"]["lai"]["rmse"] < 0.2
    assert found["ou_kalman"]["forecast"]["5"]["lai"]["rmse"] < persistence["rmse"] + 0.05


def test_ndvi_is_forecast_where_there_is_one(leaf_area: Series) -> None:
    every = np.ones((3, 60), dtype=bool)
    ndvi = leaf_area._replace(values=0.2 * leaf_area.values)
    table = {"lai": leaf_area, "ndvi": ndvi}
    found = rows(said(table, table, {}, [5], every))
    assert set(found["persistence"]["forecast"]["5"]) == {"ndvi"}


def bands(rng: np.random.Generator, noise: float) -> dict[str, Series]:
    """Two channels, a third that is a line of them, and one of another sensor, never seen with it.

    Each ``[4, 30]``; of the first channel some values are missing.
    """
    one, two = rng.uniform(0.0, 0.5, (2, 4, 30))
    third = 0.1 + 0.5 * one - 0.2 * two + noise * rng.standard_normal(one.shape)
    alone = np.full_like(one, np.nan)
    alone[:, ::7], one[:, 5], two[:, ::7], third[:, ::7] = 0.3, np.nan, np.nan, np.nan
    values = {"B04": one, "B08": two, "B11": third, "B5": alone}
    return {name: series(DATES[:30], v) for name, v in values.items()}


def test_a_hidden_channel_has_the_others_and_its_mean_as_rivals() -> None:
    """Without noise the line is exact; with it the error is the noise, at other places."""
    rng = np.random.default_rng(0)
    hidden = np.ones((4, 30), bool)
    held = {"smoothed": Held(hidden, hidden, "B11")}
    every = np.zeros((4, 30), bool)
    exact = rows(said(bands(rng, 0.0), bands(rng, 0.0), held, [], every))
    assert set(exact) == {OTHERS, MEAN}  # nothing else tells of a channel that was never seen
    assert set(exact[OTHERS]["smoothed"]) == {"B11"}
    assert exact[OTHERS]["smoothed"]["B11"]["rmse"] < 1e-12
    scored = bands(rng, 0.02)
    noisy = rows(said(bands(rng, 0.02), scored, held, [], every))
    assert noisy[OTHERS]["smoothed"]["B11"]["rmse"] == pytest.approx(0.02, rel=0.15)
    target = scored["B11"]
    asked = target.seen & scored["B04"].seen & scored["B08"].seen
    assert noisy[OTHERS]["smoothed"]["B11"]["n"] == asked.sum()
    assert noisy[MEAN]["smoothed"]["B11"]["rmse"] == pytest.approx(
        np.nanstd(target.values), rel=0.05
    )
    nothing = bands(rng, 0.0)
    nothing["B11"] = series(DATES[:30], np.full((4, 30), np.nan))
    assert said(nothing, scored, held, [], every) == {}


def test_too_few_values_seen_together_leave_a_rival_out() -> None:
    """Three for a line of three unknowns, one for a mean: what was run is scored all the same."""
    rng = np.random.default_rng(1)
    scored = bands(rng, 0.02)
    hidden, every = np.ones((4, 30), bool), np.zeros((4, 30), bool)
    held = {"smoothed": Held(hidden, hidden, "B11")}
    outcome = cast(Outcome, Mock(leads=None, withheld=held))
    for count, left in ((1, [OTHERS, MEAN]), (3, [OTHERS]), (4, [])):
        training = bands(rng, 0.02)
        together = np.flatnonzero(np.all([training[n].seen for n in ("B04", "B08", "B11")], 0))
        seen = np.zeros((4, 30), bool)
        seen.flat[together[:count]] = True
        training["B11"] = training["B11"]._replace(seen=seen)
        found = rows(said(training, scored, held, [], every))
        assert {OTHERS, MEAN} - set(found) == set(left)
        records = rivals_left_out(outcome, found)
        assert [record["baselines"] for record in records] == ([left] if left else [])
        assert not left or "B11" in records[0]["message"]
