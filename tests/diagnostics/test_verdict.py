"""The summary of a twin says what its numbers say, of gains, losses and intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from releo_da.diagnostics.tables import truth_tables
from releo_da.diagnostics.twin_judged import beside_refused
from releo_da.diagnostics.twin_tables import calibration_table, twin_tables
from releo_da.diagnostics.verdict import reason, verdict


def row(rmse: float, coverage: float, spread: float, bias: float = 0.0) -> dict[str, float]:
    return {"rmse": rmse, "coverage_90": coverage, "spread": spread, "bias": bias}


def scores() -> dict[str, Any]:
    gains = {"lai": {"rmse": 0.45}, "cab": {"rmse": -0.1}, "cw": {"rmse": 0.01}}
    return {
        "free_run": {},
        "analysis": {
            "lai": row(1.0, 0.9, 1.0),
            "cab": row(8.0, 0.7, 4.0),
            "cw": row(0.01, 0.99, 0.03),
            "B04": row(0.1, 0.1, 0.1),
        },
        "skill": {
            "free_run": {"analysis": gains | {"B04": {"rmse": -3.0}}},
            "retrieval": {"analysis": {"lai": {"rmse": 0.2}}},
        },
        "divergence": {"analysis": {"cab": {"diverged": True}, "lai": {"diverged": False}}},
    }


def test_the_summary_names_gains_losses_and_intervals() -> None:
    pays, retrieval, without, honest, lost = verdict(scores())
    assert "LAI −45 %" in pays and "cab +10 %" in pays and "over seeds" not in pays
    assert "LAI −20 %" in retrieval
    assert without.index("cab (+10 %)") < without.index("cw (−1 %)") and "LAI" not in without
    inside, outside = honest.split("; outside: ")
    assert "LAI 90 %" in inside and "cab 70 % (spread only 50 % of the error)" in outside
    assert "cw 99 % (spread larger than the error)" in outside and "B04" not in honest
    assert "cab" in lost and "LAI" not in lost


def test_intervals_over_seeds_are_told_as_changes() -> None:
    held = scores()
    held["repeats"] = {"ratio": {"free_run": {"analysis": {"lai": [0.55, 0.5, 0.6]}}}}
    assert "LAI −45 % (95 % over seeds: −50 to −40 %)" in verdict(held)[0]


def test_the_centre_of_an_interval_is_the_number_beside_it() -> None:
    """Pooled over seeds LAI has lost 45 % of its error, the geometric mean of the seeds is 80 %."""
    held = scores()
    held["repeats"] = {"ratio": {"free_run": {"analysis": {"lai": [0.8, 0.1, 6.4]}}}}
    assert "LAI −20 % (95 % over seeds: −90 to +540 %)" in verdict(held)[0]
    held["repeats"]["ratio"]["free_run"]["analysis"]["lai"] = [1.1, None, None]
    assert "LAI −45 %," in verdict(held)[0]


def test_what_is_judged_is_what_the_products_hold() -> None:
    held = scores()
    held["smoothed"] = held["analysis"] | {"lai": row(0.9, 0.69, 0.5)}
    assert "of the analysis, which analysis.nc holds" in verdict(held)[0]
    held["skill"]["free_run"]["smoothed"] = {"lai": {"rmse": 0.6}, "cab": {"rmse": 0.1}}
    pays, _, honest, analysed, _ = verdict(held)
    assert "smoothed estimate, which analysis.nc holds" in pays and "LAI −60 %" in pays
    assert "intervals of the smoothed estimate" in honest
    assert "LAI 69 % (spread only 56 % of the error)" in honest
    assert "LAI −45 % (90 %)" in analysed and "Forecasts start from the analysis" in analysed


def test_few_members_are_measured_by_what_they_can_hold() -> None:
    """8 members hold 78 % between the first and the last where they are calibrated."""
    held = scores()
    held["analysis"]["lai"]["coverage_90"] = 0.78
    assert "outside: LAI 78 %" in verdict(held)[3]
    honest = verdict(held, members=8)[3]
    assert "inside of 73 to 83 %: LAI 78 %" in honest and "8 members run from the first" in honest
    assert verdict(held, members=19) == verdict(held)


def test_runs_without_skill_have_no_verdict() -> None:
    assert verdict({"analysis": {"state": row(1.0, 0.9, 1.0)}}) == []
    assert twin_tables({"analysis": {}}) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (row(1.0, 0.5, 0.9, bias=0.8), "above the truth"),
        (row(1.0, 0.5, 0.9, bias=-0.8), "below the truth"),
        (row(1.0, 0.8, 0.95), "right on average"),
        (row(1.0, 0.97, 0.9), "few errors are large"),
    ],
)
def test_reasons_follow_from_bias_and_spread(said: dict[str, float], told: str) -> None:
    assert told in reason(said)


def test_a_forecast_stands_beside_the_free_run_of_its_dates() -> None:
    """The forecast has the least error of the row, of fewer dates: it is not the best of it."""
    held = {
        case: {"lai": {"rmse": value, "coverage_90": 0.9}}
        for case, value in (("free_run", 2.0), ("analysis", 1.0), ("smoothed", 0.9))
    }
    held["forecast"] = {"10": {"lai": {"rmse": 0.5, "coverage_90": 0.8}}}  # type: ignore[dict-item]
    ahead = {"10": {"lai": {"rmse": 0.7, "coverage_90": 0.6}}}
    first, _ = truth_tables(held | {"baselines": {"free_run": {"forecast": ahead}}})
    assert first.head == ["", "free run", "analysis", "smoothed", "10 days ahead", "free run then"]
    ((_, cells),) = first.rows
    assert [cell.text for cell in cells] == ["2", "1", "0.9", "0.5", "0.7"]
    assert [cell.best for cell in cells] == [False, False, True, False, False]
    assert "not across" in first.note
    alone, _ = truth_tables({case: held[case] for case in ("free_run", "analysis")})
    assert "Forecasts" not in alone.note


def test_one_report_has_one_coverage_of_90_percent() -> None:
    """Old runs have numbers beyond the members as well; they are not shown."""
    flat = {"reliability_index": 0.1, "expected": 0.1, "n": 9}
    levels = {"50": 0.4, "80": 0.7, "90": 0.86, "95": 0.93}
    held = {"lai": {"intervals": levels, "flatness": flat, "spread_skill_slope": 1.0}}
    few = calibration_table(held, {"lai": {"coverage_90": 0.84}}, 16)
    assert [cell.text for cell in few.rows[0][1]][:4] == ["40 %", "70 %", "84 %", "–"]
    assert "16 members end at 88 %" in few.note
    many = calibration_table(held, {}, 64)
    assert [cell.text for cell in many.rows[0][1]][:4] == ["40 %", "70 %", "86 %", "93 %"]
    assert "end at" not in many.note


def test_a_caption_tells_what_screening_refused() -> None:
    """Two of four values used; one refused, with an error of 3; one under cloud."""
    axes = ("time", "pixel", "channel")
    mean = np.array([[[1.1], [1.1], [4.0], [9.0]]])
    found = xr.Dataset(
        {
            "observed": (axes, np.ones((1, 4, 1))),
            "mean": (("case", *axes), mean[None]),
            "rejected": (axes, np.array([[[0], [0], [2], [0]]])),
        },
        {"channel": ["lai"], "case": ["analysis"]},
    )
    moved = xr.DataArray([[True, True, False, False]], dims=("time", "pixel"))
    text = beside_refused(found, "lai", moved)
    assert "seen at 1 pixel:" in text and "RMSE 3 there, 0.1 where values were used" in text
    assert beside_refused(found.assign(rejected=found.rejected * 0), "lai", moved) == ""
