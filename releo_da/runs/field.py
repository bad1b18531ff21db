"""Estimates beside field measurements, row by row.

A row counts when a clear acquisition of its pixel lies within the stated number of days. The
estimate is the ensemble at the measurement's own time; its interval includes the measurement error

    sd = sqrt(0.3^2 + (0.1 value)^2)                  for leaf area (photographs and planimetry)
    sd = 0                                            for what has no published error here
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from releo_da.diagnostics.baselines import score_in_situ
from releo_da.diagnostics.scores import Array, summarise_in_situ
from releo_da.io.in_situ import InSitu

LEAF_AREA = ("lai", "lai_green")
"""What photographs and planimetry measure."""


class FieldRows(NamedTuple):
    """Measurements and what the run said at their time.

    Attributes:
        variable: name of the measured variable.
        row: ``[row]`` numbers in the table.
        pixel: ``[row]`` global pixel ids.
        time: ``[row]`` days.
        measured: ``[row]``.
        stage: ``[row]`` growth stage or NaN.
        ndvi: ``[row]`` NDVI of the nearest clear date, the regressor of the line baseline.
        sample: ``[row]`` int64, equal for rows of one pixel and day, see `samples`.
        estimates: per case (``analysis``, ``smoothed``), ``[row, member]``.
        column: of the table that was read.
    """

    variable: str
    row: Array
    pixel: Array
    time: Array
    measured: Array
    stage: Array
    ndvi: Array
    sample: Array
    estimates: dict[str, Array]
    column: str = ""

    @property
    def title(self) -> str:
        """The variable, and the column where that has another name."""
        same = self.column.lower() in ("", self.variable)
        return self.variable if same else f"{self.variable} ({self.column})"


def samples(pixel: Array, time: Array) -> Array:
    """Labels that are equal for rows of one pixel on one day, ``[row], [row] -> [row]`` int64."""
    pairs = np.stack([np.asarray(pixel, float), np.floor(time)], 1)
    labels: Array = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
    return labels


def pooled(parts: Sequence[FieldRows]) -> FieldRows:
    """Rows of several runs on one axis; cases that all of them hold.

    Pixels of two runs may have the same id and are not the same place, so labels of samples are
    made distinct.
    """
    first = parts[0]
    offset = np.cumsum([0, *(len(p.sample) for p in parts[:-1])])
    return first._replace(
        row=np.concatenate([p.row for p in parts]),
        pixel=np.concatenate([p.pixel for p in parts]),
        time=np.concatenate([p.time for p in parts]),
        measured=np.concatenate([p.measured for p in parts]),
        stage=np.concatenate([p.stage for p in parts]),
        ndvi=np.concatenate([p.ndvi for p in parts]),
        sample=np.concatenate([p.sample + k for p, k in zip(parts, offset, strict=True)]),
        estimates={
            case: np.concatenate([p.estimates[case] for p in parts])
            for case in first.estimates
            if all(case in p.estimates for p in parts)
        },
    )


def measurement_error(value: Array, variable: str = "lai") -> Array:
    """Standard deviation of a field measurement, ``[row]``: that of leaf area, 0 of others."""
    share = 1.0 if variable in LEAF_AREA else 0.0
    return share * np.hypot(0.3, 0.1 * np.asarray(value))


def usable(table: InSitu, times: Array, seen: Array) -> Array:
    """Rows with a clear acquisition of their pixel within ``table.within_days``, ``[row]`` bool.

    Args:
        table: the measurements.
        times: ``[date]`` of the acquisitions (days).
        seen: ``[pixel, date]`` bool, clear.
    """
    apart = np.abs(times[None] - table.time[:, None])
    apart = np.where(seen[table.pixel_index], apart, np.inf)
    result: Array = apart.min(1) <= table.within_days
    return result


def counted(table: InSitu, times: Array, seen: Array) -> InSitu:
    """The rows of a table that `usable` counts."""
    rows = usable(table, times, seen)
    return table._replace(
        pixel_index=table.pixel_index[rows],
        time=table.time[rows],
        value=table.value[rows],
        row=table.row[rows],
        stage=None if table.stage is None else table.stage[rows],
    )


def nearest_index(table: InSitu, times: Array, seen: Array, ndvi: Array) -> Array:
    """NDVI of the clear date nearest to each row, ``[row]``."""
    apart = np.abs(times[None] - table.time[:, None])
    apart = np.where(seen[table.pixel_index] & np.isfinite(ndvi[table.pixel_index]), apart, np.inf)
    return ndvi[table.pixel_index, apart.argmin(1)]


def score_field(rows: FieldRows, seed: int) -> dict[str, Any]:
    """The row of scores.json of one measured variable: cases, baselines, late growth stages."""
    generator = np.random.default_rng([seed, 20])
    scores: dict[str, Any] = {}
    late = rows.stage >= 30.0
    parts = {"": np.ones(len(rows.measured), bool)}
    if late.any() and not late.all():
        parts["_from_stem_elongation"] = late
    for suffix, part in parts.items():
        measured = rows.measured[part]
        for case, members in rows.estimates.items():
            error = measurement_error(measured, rows.variable)
            row = summarise_in_situ(measured, members[part], error, generator)
            scores[case + suffix] = row
        lines = score_in_situ(measured, rows.ndvi[part], rows.sample[part])
        for name, row in lines.items():
            scores[name + suffix] = row
    return scores
