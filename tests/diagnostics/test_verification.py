"""The data set of verification: what goes in comes out, and scores follow from it."""

import numpy as np
import pytest
import xarray as xr

from releo_da.diagnostics.scores import summarise
from releo_da.diagnostics.verification import FIELDS, Record, Tables, summaries, verification
from releo_da.runs.sums import of_rows
from releo_da.types import InputError


def test_summaries_equal_scores_of_the_ensembles(tmp_path, record_numbers) -> None:
    rng = np.random.default_rng(0)
    sentinel, landsat = ("B04", "B08", "ndvi"), ("B4", "B5", "ndvi")
    y = rng.random((4, 6, 3))
    y[2, 3] = np.nan
    x = rng.random((4, 6, 3, 50))
    records = [
        Record("background", i, landsat if i == 1 else sentinel, record_numbers(y[i], x[i]))
        for i in range(4)
    ]
    records += [Record("smoothed", 0, sentinel, record_numbers(y[0], 0.1 + x[0]))]
    records[0] = records[0]._replace(rejected=np.eye(6, 2, dtype=bool))
    names = ["sentinel2a", "landsat8", "sentinel2a", "sentinel2b"]
    found = verification(17000.5 + np.arange(4), names, np.arange(6), records, 50)
    found.to_netcdf(tmp_path / "verification.nc")
    rows = summaries(found, "background")
    assert set(rows) == {"B04", "B08", "ndvi", "B4", "B5"}
    for name, dates, column in [("B04", [0, 2, 3], 0), ("B5", [1], 1), ("ndvi", range(4), 2)]:
        sample = y[list(dates)][..., column].ravel()
        members = x[list(dates)][..., column, :].reshape(len(sample), 50)
        assert rows[name] == pytest.approx(summarise(sample, members), rel=1e-5, abs=1e-6)
    assert set(summaries(found, "smoothed")) == set(sentinel)
    assert found.rejected.sum() == 2 and found.rejected.sel(channel="B08")[0, 1] == 1
    assert str(found.time.values[0]).startswith("2016-07-18T12:00:00")
    with pytest.raises(InputError, match="forecast_10.*background, smoothed"):
        summaries(found, "forecast_10")


def test_blocks_fill_the_tables_that_all_records_fill_at_once() -> None:
    """Blocks in any order, one of which knows a case and channels that the others do not."""
    rng = np.random.default_rng(1)
    names = {"background": ("B04", "B08"), "smoothed": ("B08", "B11", "ndvi")}

    def record(case: str, date: int) -> Record:
        numbers = rng.random((6, len(names[case]), len(FIELDS))).astype(np.float32)
        refused = rng.random((6, 2)) < 0.3 if case == "background" else None
        return Record(case, date, names[case], numbers, refused)

    whole = [record(case, date) for case in names for date in range(3)]
    nowhere = np.full((4, 3, len(FIELDS)), np.nan)
    expected = []
    for one in whole:
        if one.case == "smoothed":
            one.numbers[[1, 2, 4, 5]] = nowhere
        expected.append(one)
    tables = Tables(3, 6)
    for rows in (np.array([5, 1, 2, 4]), np.array([0, 3])):
        parts = [r for r in whole if r.case == "background" or 0 in rows]
        tables.add([of_rows(one, rows) for one in parts], rows)
    axes = np.arange(3.0), ["s"] * 3, np.arange(6)
    found = tables.dataset(*axes, 8)
    xr.testing.assert_identical(found, verification(*axes, expected, 8))
    assert found.sizes["channel"] == 4 and found["mean"].sel(case="smoothed").notnull().sum() == 18


def test_a_record_of_other_pixels_is_refused() -> None:
    record = Record("background", 0, ("B04",), np.zeros((3, 1, len(FIELDS))))
    with pytest.raises(InputError, match="background at date 0"):
        verification(np.array([0.0]), ["s"], np.arange(4), [record], 8)
