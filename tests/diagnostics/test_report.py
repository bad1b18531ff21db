"""The report: complete, escaped, self-contained, and the same figures from files as from a run."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from releo_da.config.report_notes import warnings
from releo_da.config.report_summary import summary
from releo_da.diagnostics.gallery import gallery
from releo_da.diagnostics.picture import FieldPairs, Picture
from releo_da.diagnostics.places import chosen_places, described_place, observations, place_name
from releo_da.diagnostics.report import render, write_report
from releo_da.diagnostics.tables import once, tables, withheld_tables, written
from releo_da.diagnostics.verification import FIELDS, Record, Tables
from releo_da.types import InputError

VOID = {"meta", "img", "br", "link"}


class Checker(HTMLParser):
    """Collects tags and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def field() -> FieldPairs:
    rng = np.random.default_rng(0)
    measured = rng.random(9)
    return FieldPairs(
        variable="lai",
        unit="m2 m-2",
        measured=measured,
        measured_sd=np.full(9, 0.3),
        predicted={"smoothed": measured + 0.1},
        times=17000 + 10.0 * np.arange(9),
        pixel=np.array([4, 4, 4, 2, 2, 1, 1, 1, 1]),
    )


def test_gallery_of_points(
    run_scores: dict,
    run_verification: xr.Dataset,
    point_analysis: xr.Dataset,
    field: FieldPairs,
) -> None:
    found = gallery(run_scores, run_verification, point_analysis, [field])
    names = [picture.name for picture in found]
    assert names == [
        "series", "series_lai", "series_ndvi", "skill_forecast_ndvi", "skill_withheld_ndvi",
        "field_lai", "departures", "ranks", "reliability", "rejected",
    ]  # fmt: skip
    assert all(picture.caption and picture.title for picture in found)
    assert found[0].title.endswith("point 10")  # pixel 1 has most field measurements


def test_field_measurements_that_nothing_is_near_are_not_drawn(
    run_verification: xr.Dataset, point_analysis: xr.Dataset, field: FieldPairs
) -> None:
    none = np.array([], object)  # as they are read from a table without rows
    empty = field._replace(
        measured=none, measured_sd=None, predicted={}, times=none, pixel=np.array([], int)
    )
    found = gallery({}, run_verification, point_analysis, [empty])
    assert "field_lai" not in [picture.name for picture in found]
    assert not any("Squares" in picture.caption for picture in found)
    (note,) = warnings([], {"in_situ": {"lai": {"constant": {"n": 0}}, "cab": {"line": {"n": 2}}}})
    assert note.startswith("no field measurement of lai lies within score.in_situ.within_days")


def test_captions_tell_of_a_range_only_where_there_is_one(point_analysis: xr.Dataset) -> None:
    bare = point_analysis.drop_vars(["ndvi_spread", "ndvi_quantile"])
    said = {picture.name: picture.caption for picture in gallery({}, None, bare)}
    assert "90 % range" in said["series_lai"] and "No range" not in said["series_lai"]
    assert said["series"].endswith("No range is known of NDVI.")
    assert "range" not in said["series_ndvi"] and "Values through time." in said["series_ndvi"]


def test_gallery_of_a_grid_has_maps_and_a_bare_one_has_nothing(
    run_scores: dict, grid_analysis: xr.Dataset
) -> None:
    names = [picture.name for picture in gallery(run_scores, None, grid_analysis)]
    assert names[-2:] == ["map_lai", "map_ndvi"]
    assert gallery({}) == []


def test_places_with_field_measurements_come_first(
    point_analysis: xr.Dataset, run_verification: xr.Dataset, field: FieldPairs
) -> None:
    places = chosen_places(point_analysis, "lai", run_verification, [field], count=4)
    assert {place["point"] for place in places[:3]} == {1, 2, 4} and len(places) == 4
    assert places[0] == {"point": 1}


def test_places_are_named(point_analysis: xr.Dataset, grid_analysis: xr.Dataset) -> None:
    named = point_analysis.assign_coords(
        label=("point", list("abcdef")),
        lon=("point", np.full(6, 1.25)),
        lat=("point", np.full(6, np.nan)),
    )
    assert described_place(point_analysis, {"point": 2}) == "point 20"
    assert described_place(named, {"point": 2}) == "c (longitude 1.2500°)"
    assert described_place(grid_analysis, {"y": 6, "x": 0}) == "row 6, column 0 (x 300 m, y 4940 m)"
    thinned = grid_analysis.assign_coords(id=(("y", "x"), np.arange(35).reshape(7, 5) * 3))
    assert place_name(thinned, {"y": 1, "x": 2}) == "pixel 21"
    series = gallery({}, None, named)[0]
    assert series.title == "Output variables at a (longitude 1.2500°)"
    assert [axes.get_title("left") for axes in series.figure.axes] == ["LAI at a", "NDVI at a"]


def test_observations_are_sorted_into_used_withheld_and_refused(
    run_verification: xr.Dataset,
) -> None:
    here = run_verification.sel(channel="B04").isel(pixel=1)
    groups = {points.role: len(points.values) for points in observations(here)}
    seen = int(here.observed.notnull().sum())
    refused = int((here.rejected > 0).sum())
    held = int(here["mean"].sel(case="smoothed").notnull().sum())
    assert groups["withheld"] == held > 0
    assert groups.get("rejected", 0) == refused
    assert sum(groups.values()) >= seen


def test_report_is_one_file_with_everything_in_it(
    tmp_path: Path, run_scores: dict, run_verification: xr.Dataset
) -> None:
    pictures = gallery(run_scores, run_verification)
    content = {
        "title": "Fields & <b>meadows</b>",
        "summary": ["It pays."],
        "run": {"version": "0.1.0", "seed": 7},
        "data": {"places": 66},
        "warnings": ["31 values of B02 <refused>"],
        "scores": run_scores,
        "config": "seed: 7 # <script>",
    }
    path = write_report(tmp_path, content, pictures)
    text = path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    tags = {tag for tag, _ in checker.tags}
    assert not tags & {"script", "link", "iframe", "b"}
    assert "&lt;refused&gt;" in text and "# &lt;script&gt;" in text
    assert "Fields &amp; &lt;b&gt;meadows" in text
    sources = [attrs["src"] for tag, attrs in checker.tags if tag == "img"]
    assert len(sources) == len(pictures) > 3
    for source, picture in zip(sources, pictures, strict=True):
        image = base64.b64decode(source.removeprefix("data:image/png;base64,"))
        assert image == (tmp_path / "figures" / f"{picture.name}.png").read_bytes()
    assert not re.search(r"(src|href)=\"(http|//|file)", text)
    targets = {attrs["href"][1:] for tag, attrs in checker.tags if tag == "a"}
    anchors = {attrs.get("id") for _, attrs in checker.tags}
    assert targets == {"run", "data", "scores", "figures", "config"} <= anchors


def test_report_from_pictures_on_file(tmp_path: Path, run_scores: dict) -> None:
    pictures = gallery(run_scores)
    first = write_report(tmp_path, {}, pictures).read_text(encoding="utf-8")
    stored = [
        picture._replace(figure=tmp_path / "figures" / f"{picture.name}.png")
        for picture in pictures
    ]
    assert write_report(tmp_path, {}, stored).read_text(encoding="utf-8") == first
    with pytest.raises(InputError, match=r"gone\.png.*plot"):
        write_report(tmp_path, {}, [Picture("a", "b", "c", tmp_path / "gone.png")])
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(InputError, match="not a PNG"):
        write_report(tmp_path, {}, [Picture("a", "b", "c", tmp_path / "text.png")])
    with pytest.raises(InputError, match="no such directory"):
        write_report(tmp_path / "nowhere", {})


def test_an_empty_report_says_only_what_was_run() -> None:
    text = render({"run": {"version": "0.1.0"}})
    assert "What was run" in text
    assert 'id="scores"' not in text and 'id="figures"' not in text and 'id="data"' not in text


def test_tables_mark_the_best_and_keep_baselines_beside(run_scores: dict) -> None:
    found = {table.title: table for table in tables(run_scores)}
    assert list(found) == [
        "Withheld NDVI", "Withheld values: RMSE", "Withheld values: CRPS",
        "Forecasts of NDVI: RMSE", "Forecasts of NDVI: CRPS",
        "Forecasts of NDVI: 90 % coverage", "LAI against field measurements", "Background",
        "Innovations of sentinel2a",
    ]  # fmt: skip
    withheld = found["Withheld NDVI"]
    assert [name for name, _ in withheld.rows] == ["assimilation", "linear", "OU Kalman"]
    best = {name: row[0].best for name, row in withheld.rows}
    assert best == {"assimilation": False, "linear": False, "OU Kalman": True}
    matrix = found["Withheld values: RMSE"]
    assert matrix.head == ["", "assimilation", "linear", "OU Kalman"]
    assert [cell.text for cell in matrix.rows[0][1]] == ["0.101", "0.104", "0.100"]
    rows = dict(found["Forecasts of NDVI: RMSE"].rows)
    assert rows["assimilation"][0].best and not rows["assimilation"][1].best
    assert rows["OU Kalman"][1].best
    field = found["LAI against field measurements"]
    assert "CRPS" not in field.head  # nobody fills it
    assert dict(field.rows)["constant"][field.head.index("r²") - 1].text == "–"
    assert tables({}) == []


def test_tables_say_on_what_baselines_were_fitted(run_scores: dict) -> None:
    """In sample of a plain hindcast, on its past with a forecast period, on a part of a study."""
    for told, forecasts, withheld in (
        ({"in_sample": True}, "values that are scored (in sample)", "what was not hidden"),
        ({"in_sample": False}, "dates of the same series before", "what was not hidden"),
        ({}, "the part that the run was fitted on", "Bold"),
    ):
        scores = {**run_scores, **told}
        found = {table.title: table.note for table in tables(scores)}
        captions = {p.name: p.caption for p in gallery(scores)}
        for text in (found["Forecasts of NDVI: RMSE"], captions["skill_forecast_ndvi"]):
            assert forecasts in text
        for title in ("Withheld NDVI", "Withheld values: CRPS"):
            assert withheld in found[title]
        assert ("not hidden" in captions["skill_withheld_ndvi"]) == bool(told)
        said = [line for line in summary(scores) if line.startswith("Forecast")]
        assert len(said) == 2
        assert all(("fitted in sample" in one) == told.get("in_sample", False) for one in said)


def test_a_column_without_a_number_is_left_out() -> None:
    rows = {"B04": {"rmse": 0.03, "median_abs": None, "n": 6}, "ndvi": {"rmse": None, "n": 6}}
    (table,) = tables({"background": rows})
    assert list(table.head) == ["", "RMSE", "n"]
    assert [[cell.text for cell in cells] for _, cells in table.rows] == [
        ["0.030", "6"],
        ["–", "6"],
    ]


def test_numbers_are_written_as_they_are_read() -> None:
    assert written(0.1234) == "0.123"
    assert written(0.004, "bias") == "+0.004"
    assert written(0.876, "coverage_90") == "88 %"
    assert written(740, "n") == "740"
    assert written(float("nan"), "rmse") == "–"


def test_an_index_that_a_channel_reports_stands_once() -> None:
    """NDVI of an index product and ndvi of all sensors are one row and one table."""
    row = {"rmse": 0.1, "crps": 0.05, "n": 9}
    scores = {"smoothed": {"NDVI": row, "ndvi": row, "B04": row}}
    assert [table.title for table in withheld_tables(scores)].count("Withheld NDVI") == 1
    assert once(["NDVI", "ndvi", "B04"]) == ["ndvi", "B04"]
    assert once(["NDVI"]) == ["NDVI"]


def test_a_free_run_that_overflows_is_told(recwarn: pytest.WarningsRecorder) -> None:
    """Its values are infinite in the file, without a warning of numpy; its scores are dashes."""
    table = Tables(dates=1, pixels=1)
    numbers = np.full((1, 1, len(FIELDS)), 1e300)
    numbers[..., FIELDS.index("observed")] = 0.3
    table.add([Record("free_run", 0, ("x0",), numbers)], np.arange(1))
    assert np.isinf(table.tables["mean"]).all() and table.tables["observed"][0, 0, 0] > 0.29
    assert not recwarn.list
    row, lost = {"rmse": 1.45, "spread": 1.2}, {"rmse": None, "spread": None}
    scores = {
        "analysis": {"state": row},
        "free_run": {"state": lost},
        "baselines": {"optimal_interpolation": {"analysis": {"state": row}}},
        "replicates": {"analysis": {"rmse": [1.4, 1.5]}},
    }
    assert summary(scores) == [
        "Analysis of 2 replicates: RMSE 1.45 (median), spread 1.2; – without observations, 1.45 "
        "by optimal interpolation. Diverged: 0. The free run left the finite numbers."
    ]
