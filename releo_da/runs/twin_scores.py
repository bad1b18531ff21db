"""What a twin experiment says of itself beside its scores, from sums that its blocks add up.

    baselines     the free run beside forecasts, on the dates that these were made for
    skill         share of the error of the free run, and of a retrieval, that is gone
    calibration   intervals, PIT and spread against error of all values; ranks of a thinned sample
    divergence    whether the error left the spread behind, date by date
    multivariate  scores of the variables of a pixel together, of the same sample

None of it needs an ensemble or a record. The sample takes every eighth row and column of a grid and
every fourth date of each sensor, so that satellites that take turns are all in it: fields of crops
and their errors are alike over some hundred metres and weeks. Scattered points are all taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from releo_da.diagnostics.calibrations import Calibrations
from releo_da.diagnostics.divergence import of_run
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.skill import skills
from releo_da.diagnostics.thinning import Strides, kept
from releo_da.diagnostics.vectors import Vectors
from releo_da.diagnostics.verification import Record
from releo_da.runs.baselines import by_part
from releo_da.runs.sums import Sums

GRID, POINTS = Strides(8, 8, 4), Strides(1, 1, 4)
"""Of the thinned sample, of a landscape and of scattered points."""

ESTIMATES = ("background", "analysis", "smoothed")


@dataclass
class Said:
    """Sums over the blocks of a run.

    Attributes:
        columns: of the grid, 0 of points.
        calibrations: of every case and channel.
        vectors: of the variables of a pixel together.
    """

    columns: int
    calibrations: Calibrations
    vectors: Vectors = field(default_factory=Vectors)

    @classmethod
    def of(cls, members: int, columns: int) -> Said:
        """Nothing yet, of a run with so many members on a grid with so many columns."""
        return cls(columns, Calibrations(members, GRID if columns else POINTS))

    def add(self, record: Record, ids: Array) -> None:
        """Add a comparison of a block with these pixel ids; its date is that of its sensor."""
        self.calibrations.add([record], *self.place(ids))

    def sample(self, ids: Array, date: int) -> Array:
        """Which pixels belong to the thinned sample of a date of a sensor, ``[pixel]`` bool."""
        return kept(*self.place(ids), date, self.calibrations.strides)

    def place(self, ids: Array) -> tuple[Array, Array]:
        """Row and column of pixels, ``[pixel]`` each; of points their position, and 0."""
        row, column = np.divmod(ids, max(self.columns, 1))
        return row, column

    def __iadd__(self, other: Said) -> Said:
        """Add those of another run."""
        self.calibrations += other.calibrations
        self.vectors += other.vectors
        return self

    def rows(self) -> dict[str, Any]:
        """The keys ``calibration`` and ``multivariate`` of scores.json."""
        return {
            "calibration": by_part(self.calibrations.rows()),
            "multivariate": by_part(self.vectors.rows()),
        }


def beside(scores: Mapping[str, Any], sums: Sums, times: Array, first: float) -> dict[str, Any]:
    """The keys ``baselines``, ``skill`` and ``divergence`` of scores.json.

    Args:
        scores: rows of every case, and of those under ``seen``.
        sums: of the run.
        times: ``[date]`` days.
        first: time from which on comparisons count.
    """
    forecasts = scores.get("forecast", {})
    free = free_ahead(forecasts, sums, times, first)
    ours = {case: scores[case] for case in ESTIMATES if case in scores}
    against = {case: skills(rows, scores["free_run"]) for case, rows in ours.items()}
    if free:
        against["forecast"] = skills(forecasts, free)
    seen = scores.get("seen", {})
    alone = seen.get("retrieval", {})
    by_retrieval = {case: skills(seen[case], alone) for case in ESTIMATES if case in seen}
    found: dict[str, Any] = {
        "skill": {"free_run": against} | ({"retrieval": by_retrieval} if alone else {}),
        "divergence": {case: watched(sums, case, times, first) for case in ours},
    }
    if free:
        found["baselines"] = {"free_run": {"forecast": free}}
    return found


def free_ahead(leads: Iterable[str], sums: Sums, times: Array, first: float) -> dict[str, Any]:
    """Rows of the free run on the dates that forecasts were made for, by lead."""
    return {
        lead: sums.rows(times, first, dates=dates_of(sums, f"forecast_{lead}"))["free_run"]
        for lead in leads
    }


def dates_of(sums: Sums, case: str) -> set[int]:
    """Positions of the dates of a case."""
    return {date for name, date in sums.terms if name == case}


def watched(sums: Sums, case: str, times: Array, first: float) -> dict[str, Any]:
    """Whether each variable and channel of a case has diverged, date by date."""
    dates = sorted(date for date in dates_of(sums, case) if times[date] >= first)
    return of_run(sums.terms[case, date] for date in dates)
