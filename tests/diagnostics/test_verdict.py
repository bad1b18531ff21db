"""The summary of a twin says what its numbers say, of gains, losses and intervals."""

from __future__ import annotations

from typing import Any

import pytest

from releo_da.diagnostics.twin_tables import twin_tables
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
    assert "LAI −45 % (95 % over seeds: -50 to -40 %)" in verdict(held)[0]


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
