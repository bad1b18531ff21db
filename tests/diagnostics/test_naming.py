"""Names in tables and figures, bins of few ranks, and tables that fit a terminal."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from releo_da.config.show import fitting, show_scores
from releo_da.diagnostics import plots
from releo_da.diagnostics.calibration import coarser, rank_histogram
from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.comparison_tables import difference_tables, side_by_side
from releo_da.diagnostics.differences import Difference
from releo_da.diagnostics.naming import naming
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.report import render, unbroken
from releo_da.diagnostics.tables import tables, truth_tables, withheld_tables
from releo_da.diagnostics.truth import skill, twin_pictures
from releo_da.diagnostics.twin_tables import impact_table

ROW = {"rmse": 0.5, "bias": -0.000123, "crps_fair": 0.3, "coverage_90": 0.9}
SENSORS = {
    "sentinel2a": {"errors": {"B04": {}, "B05": {}}},
    "sentinel2b": {"errors": {"B04": {}, "B05": {}}},
    "landsat8": {"errors": {"B4": {}, "B5": {}}},
}


def scores(*sensors: str) -> dict:
    """Of a twin with two variables and the channels of some sensors."""
    held = {name: SENSORS[name] for name in sensors}
    names = ["lai", "fapar", *(c for row in held.values() for c in row["errors"])]
    rows = {name: ROW for name in names}
    return {"free_run": rows, "analysis": rows, "innovations": held}


def test_channels_name_their_sensors_where_these_differ() -> None:
    units = {"lai": "m2 m-2", "fapar": "1"}
    rmse, bias, *_, coverage = truth_tables(scores("sentinel2a", "sentinel2b", "landsat8"), units)
    assert [cell.text for cell in bias.rows[0][1]] == ["−0.000123", "−0.000123"]
    assert [name for name, _ in rmse.rows][0] == "LAI (m² m⁻²)"
    assert rmse.rows[2][0] == "B04 (sentinel2a, sentinel2b)"
    assert coverage.rows[0][0] == "LAI"  # a share has no unit
    same, *_ = truth_tables(scores("sentinel2a", "sentinel2b"), units)
    assert [name for name, _ in same.rows][2:] == ["B04", "B05"]
    drawn = skill(scores("sentinel2a", "landsat8")).axes[0]
    assert drawn.get_yticklabels()[-1].get_text() == "B5 (landsat8)"


def test_a_comparison_names_units_and_the_sensors_of_all_its_runs() -> None:
    """Two runs of one sensor each: what they share has both names, the rest one."""
    runs = {name: scores(name) for name in ("sentinel2a", "landsat8")}
    runs["landsat8"]["innovations"] = {"landsat8": {"errors": {"B04": {}, "B4": {}, "B5": {}}}}
    named = naming(runs["sentinel2a"], {"lai": "m2 m-2"}, runs["landsat8"])
    (table,) = side_by_side(
        {run: {"analysis": one["analysis"]} for run, one in runs.items()}, named
    )
    names = ["LAI (m² m⁻²)", "FAPAR", "B04 (sentinel2a, landsat8)", "B05 (sentinel2a)",
             "B4 (landsat8)", "B5 (landsat8)"]  # fmt: skip
    assert [name for name, _ in table.rows] == names
    found = [Difference("analysis", name, "rmse", 0.1, 0.0, 0.2, 9, "fields", 99.0)
             for name in ("lai", "B4")]  # fmt: skip
    (changed,) = difference_tables("a", {"b": found}, "analysis", named)
    assert [name for name, _ in changed.rows] == ["LAI", "B4 (landsat8)"]  # in per cent


def test_tables_of_a_hindcast_give_units_and_sensors() -> None:
    row = {"rmse": 0.5, "crps": 0.3, "coverage_90": 0.9, "n": 3}
    rows = {name: row for name in ("lai", "B04", "B4")}
    held = scores("sentinel2a", "landsat8")["innovations"] | {"landsat8": {"errors": {"B4": {}}}}
    told = {"background": rows, "smoothed": rows, "forecast": {"10": {"lai": row}},
            "in_situ": {"lai": {"smoothed": row}}}  # fmt: skip
    parts = [
        *withheld_tables(told, naming({"innovations": held}, {"lai": "m2 m-2"})),
        *tables(told, None, {"lai": "m2 m-2"}),
    ]
    titles = [table.title for table in parts]
    assert "Forecasts of LAI (m² m⁻²): RMSE" in titles
    assert "Forecasts of LAI: 90 % coverage" in titles  # a share
    told["baselines"] = {"linear": {"forecast": {"10": {"lai": {"rmse": 0.4}}}}}
    ahead = {table.title: [name for name, _ in table.rows] for table in tables(told)}
    assert ahead["Forecasts of LAI: RMSE"] == ["assimilation", "linear"]
    assert ahead["Forecasts of LAI: 90 % coverage"] == ["assimilation"]  # no empty rows
    assert "LAI (m² m⁻²) against field measurements" in titles
    assert [name for name, _ in parts[0].rows] == [
        "LAI (m² m⁻²)", "B04 (sentinel2a)", "B4 (landsat8)",
    ]  # fmt: skip
    assert [name for name, _ in parts[-1].rows] == ["LAI (m² m⁻²)", "B04", "B4"]
    alone = {"smoothed": {"lai": row}}
    assert tables(alone, None, {"lai": "m2 m-2"})[0].title == "Withheld LAI (m² m⁻²)"


def test_changes_of_a_squared_error_have_squared_units() -> None:
    held = {"lai": {"channels": {"B04": {"impact": -1.0, "n": 3}}, "change": -1.0}}
    table = impact_table("sentinel2a", held, naming({}, {"lai": "m2 m-2"}))
    assert table.head == ["", "LAI, (m² m⁻²)²", "n"]


@pytest.mark.parametrize(
    ("explained", "told"),
    [(0.8, ""), (None, "(what single pixels gain and lose nearly cancels)"),
     (-3.14, "(they add up to −3.1 of the change)"), (2.5, "(they add up to 2.5 of the change)")],
)  # fmt: skip
def test_the_table_of_channels_says_which_are_not_to_be_ranked(
    explained: float | None, told: str
) -> None:
    row = {"channels": {"B04": {"impact": -1.0, "n": 3}}, "change": -1.0, "explained": explained}
    note = impact_table("sentinel2a", {"lai": row}).note
    assert note.endswith(f"not to be ranked for LAI {told}." if told else "operator were linear.")


@pytest.mark.parametrize(("values", "bins"), [(3, 1), (20, 3), (40, 5), (84, 8), (85, 17)])
def test_bins_are_as_many_as_the_counts_bear(values: int, bins: int) -> None:
    """Of 16 members: 17 ranks, and at least five values expected of each bin."""
    whole = rank_histogram(np.arange(values) % 17, 16)
    found = coarser(whole)
    assert len(found.counts) == bins
    assert found.counts.sum() == values
    assert np.isclose(found.expected.sum(), values)
    assert found.expected.min() >= 5 or bins == 1
    assert np.allclose(found.expected / values, np.diff(found.edges))
    assert (found.edges[0], found.edges[-1]) == (0.0, pytest.approx(1.0))


def test_ranks_of_a_toy_leave_out_the_burn_in() -> None:
    shape = 2, 10, 12, 1
    times = np.datetime64("1970-01-01", "ns") + np.arange(10) * np.timedelta64(1, "D")
    fields = ("mean", "sd", "rank")
    said = xr.Dataset(
        {name: (("case", "time", "pixel", "channel"), np.ones(shape)) for name in fields}
        | {"observed": (("time", "pixel", "channel"), np.zeros(shape[1:]))},
        {"case": ["free_run", "analysis"], "time": times, "channel": ["state"]},
        {"members": 16},
    )
    rows = {"state": ROW}
    empty = xr.Dataset(coords={"time": times})
    told = {"free_run": rows, "analysis": rows}
    made = twin_pictures(told, said, empty, empty, scored=times[3])
    (ranks,) = [one.figure for one in made if one.name == "ranks"]
    assert ranks.axes[0].get_title("left").endswith("n = 72")


def test_the_time_of_a_toy_is_named_under_the_lowest_panels() -> None:
    line = plots.Band("truth", np.arange(3.0), np.arange(3.0)[None])
    panels = [plots.Panel("", "x", [line])] * 4
    drawn = plots.series(panels, columns=3, clock=style.model_time).axes
    assert [one.get_xlabel() for one in drawn[:4]] == ["", "model time", "model time", "model time"]


def test_a_per_cent_sign_stays_with_its_number() -> None:
    assert unbroken("90 % of 5 %, file %Y-%m, 3 %d") == "90\u00a0% of 5\u00a0%, file %Y-%m, 3 %d"
    assert "held 90\u00a0%." in render({"summary": ["held 90 %."]})


def test_wide_tables_are_parted_and_none_of_their_numbers_is_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cells = [Cell("0.1234")] * 9
    table = Table("t", "", ["", *["thirty days ahead"] * 9], [("leaf water", cells)])
    parts = fitting(table, 120)
    assert [column for part in parts for column in part] == list(range(1, 10))
    assert all(1 + 13 + 20 * len(part) <= 120 for part in parts)
    rows = scores("sentinel2a")
    ahead = {str(lead): rows["analysis"] for lead in range(10, 90, 10)}
    show_scores({**rows, "forecast": ahead, "innovations": {}}, 2)
    said = capsys.readouterr().out
    assert "…" not in said and "continued" in said
    assert "In the report alone: Estimates against the truth: fair CRPS" in said
