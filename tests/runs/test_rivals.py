"""Which variable rivals forecast: NDVI, or what a run observes first where it has none."""

import numpy as np
import pytest

from releo_da.diagnostics.baselines import Series, series
from releo_da.runs.baselines import rows, said

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
