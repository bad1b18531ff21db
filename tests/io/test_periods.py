"""Composites: the middle of the period, its length, and what it adds to the error."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from releo_da.io import read_points, read_table
from releo_da.io.geometry import sun_position
from releo_da.io.periods import change_of, middles
from releo_da.sensors import channel_error
from releo_da.types import InputError

EPOCH = datetime.date(1970, 1, 1)


def day(text: str) -> float:
    return float((datetime.date.fromisoformat(text) - EPOCH).days)


@given(st.dates(datetime.date(1990, 1, 1), datetime.date(2040, 1, 1)))
def test_dekads_and_months_are_those_of_the_calendar(date: datetime.date) -> None:
    """Against pandas: the third that holds the day, from its first day to the next one's."""
    month = pd.Period(date, "M")
    starts = [month.start_time + pd.Timedelta(days=n) for n in (0, 10, 20)]
    starts.append((month + 1).start_time)
    k = int(np.searchsorted(starts, pd.Timestamp(date), side="right")) - 1
    stamps = np.array([float((date - EPOCH).days)])
    for calendar, first, after in (
        ("dekad", starts[k], starts[k + 1]),
        ("month", starts[0], starts[3]),
    ):
        middle, length = middles(stamps, {"calendar": calendar}, None, "t")
        assert length[0] == (after - first).days
        assert middle[0] - length[0] / 2 == (first - pd.Timestamp(0)).days


@pytest.mark.parametrize(
    ("composite", "middle", "length"),
    [
        ({"days": 10}, "2024-02-25", 10),
        ({"days": 16, "date": "middle"}, "2024-02-20", 16),
        ({"days": 8, "date": "end"}, "2024-02-17", 8),
        ({"end": "last"}, "2024-02-25", 10),
        ({"calendar": "dekad"}, "2024-02-16", 10),
    ],
)
def test_time_and_sun_are_those_of_the_middle(
    tmp_path: Path, composite: dict[str, Any], middle: str, length: float
) -> None:
    """And the spread of the date adds change * L / sqrt(12) to the noise of the sensor."""
    path = tmp_path / "t.csv"
    path.write_text("day,last,red,nir\n2024-02-20,2024-02-29,0.05,0.3\n")
    options: dict[str, Any] = {
        "path": path,
        "time": "day",
        "overpass": "10:30",
        "sensor": "sentinel2a",
        "channels": {"B04": "red", "B08": "nir"},
        "position": {"lon": 9.0, "lat": 47.0},
    }
    (one,) = read_table(**options, composite=composite).acquisitions
    assert one.time == day(middle) + 10.5 / 24
    zenith, _ = sun_position(one.time, 9.0, 47.0)
    assert one.angles[0, 0].item() == pytest.approx(float(zenith), rel=1e-6)
    noise = channel_error("sentinel2a", ("B04", "B08"), one.values)
    assert torch.equal(one.error, noise)
    (two,) = read_table(**options, composite=composite | {"change": {"B08": 0.004}}).acquisitions
    added = np.array([0.0, 0.004]) * length / np.sqrt(12)
    np.testing.assert_allclose(two.error[0], np.hypot(noise[0], added), rtol=1e-6)
    stated = options | {"error": {"B08": {"absolute": 0.03}}}
    (three,) = read_table(**stated, composite=composite | {"change": 0.004}).acquisitions
    wanted = np.hypot([noise[0, 0], 0.03], 0.004 * length / np.sqrt(12))
    np.testing.assert_allclose(three.error[0], wanted, rtol=1e-6)


def test_the_last_day_is_included_however_it_is_named() -> None:
    """Ten days that end on the 29th: by their length, by both days, or by the calendar."""
    last = np.array([day("2024-02-20")])
    first = last - 9
    by_length = middles(last, {"days": 10, "date": "end"}, None, "t")
    assert by_length == middles(first, {"end": "last"}, last, "t")
    assert by_length == middles(last, {"calendar": "dekad"}, None, "t")


@pytest.mark.parametrize("change", [np.inf, np.nan, "a", True, [1]])
def test_a_change_is_a_finite_number(change: Any) -> None:
    with pytest.raises(InputError, match="is no change per day"):
        change_of({"days": 10, "change": change}, {"B04": 1}, "t")


def test_files_have_composites_too(points: Callable[..., dict[str, Any]]) -> None:
    """The day is the middle one, the time of day stays."""
    plain = read_points(**points())
    later = read_points(**points(composite={"days": 5, "change": 0.01}))
    for one, two in zip(plain.acquisitions, later.acquisitions, strict=True):
        assert two.time == pytest.approx(one.time + 2, abs=1e-9)
        seen = one.seen
        wanted = np.hypot(one.error[seen], 0.05 / np.sqrt(12))
        np.testing.assert_allclose(two.error[seen], wanted, rtol=1e-6)


def test_long_rows_have_masks_and_errors_of_their_own(tmp_path: Path) -> None:
    """A product keeps its channels together, and a value without an error is not used."""
    lines = [
        "day,band,v,qa,sd,id",
        "2024-05-01,red,500,0,10,p",
        "2024-05-01,nir,3000,1,20,p",
        "2024-05-01,nir,3100,0,30,q",
        "2024-05-03,red,600,0,0,r",
        "2024-05-03,nir,3300,0,,r",
        "2024-05-03,swir,1800,0,9,r",
        "2024-05-05,red,700,0,50,s",
        "2024-05-05,nir,-999,0,50,s",
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    series = read_table(
        tmp_path / "t.csv",
        time="day",
        sensor="sentinel2a",
        channels={"B08": "nir", "B04": "red"},
        long={"channel": "band", "value": "v"},
        clear={"qa": [0]},
        angles={"sun_zenith": 30.0},
        error={"from": "sd", "absolute": 0.004},
        scale={"B08": 1e-4, "B04": 1e-4},
        fill=-999,
        product="id",
    )
    found = [(a.product, a.values[0].tolist(), a.error[0].tolist()) for a in series.acquisitions]
    inf = float("inf")
    expected = [
        ("p", [0.0, 0.05], [inf, np.hypot(0.004, 0.001)]),
        ("q", [0.31, 0.0], [np.hypot(0.004, 0.003), inf]),
        ("r", [0.0, 0.06], [inf, 0.004]),
        ("s", [0.0, 0.07], [inf, np.hypot(0.004, 0.005)]),
    ]
    for (name, values, error), (wanted, numbers, deviations) in zip(found, expected, strict=True):
        assert name == wanted
        assert values == pytest.approx(numbers) and error == pytest.approx(deviations)
    counts = next(entry for entry in series.log if entry["kind"] == "values")
    assert counts["read"] == 7
    assert counts["rejected"] == {"masked": 1, "not a number": 1, "error unknown": 1}
