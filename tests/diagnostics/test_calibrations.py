"""Calibration of a run: by blocks as at once, thinned, and of one ensemble size."""

import numpy as np
import pytest

from releo_da.diagnostics.calibrations import Calibrations
from releo_da.diagnostics.reliability import row, sums
from releo_da.diagnostics.thinning import Strides
from releo_da.diagnostics.verification import Record

MEMBERS = 19


def made(record_numbers, rng: np.random.Generator, case: str, date: int) -> Record:
    y, x = rng.standard_normal((60, 2)), rng.standard_normal((60, 2, MEMBERS))
    y[rng.uniform(size=(60, 2)) < 0.2] = np.nan
    return Record(case, date, ("lai", "B04"), record_numbers(y, x))


def test_blocks_and_runs_add_up_to_the_whole(record_numbers) -> None:
    rng = np.random.default_rng(4)
    records = [made(record_numbers, rng, c, d) for c in ("background", "free") for d in range(6)]
    line, column = (part.ravel() for part in np.indices((6, 10)))
    strides = Strides(2, 3, 2)
    whole = Calibrations(MEMBERS, strides)
    whole.add(records, line, column)
    grown = Calibrations(MEMBERS, strides)
    for block in (slice(0, 25), slice(25, 60)):
        part = Calibrations(MEMBERS, strides)
        few = [record._replace(numbers=record.numbers[block]) for record in records]
        part.add(few, line[block], column[block])
        grown += part
    found, expected = grown.rows(), whole.rows()
    assert set(found) == {"background", "free"} and set(found["free"]) == {"lai", "B04"}
    for case, rows in expected.items():
        for name, one in rows.items():
            assert found[case][name]["ranks"] == one["ranks"]
            assert found[case][name]["intervals"] == pytest.approx(one["intervals"], nan_ok=True)
            assert found[case][name]["flatness"] == pytest.approx(one["flatness"])
    numbers = np.concatenate([record.numbers for record in records[:6]])
    alone = row(sums(numbers, MEMBERS)[0], MEMBERS)
    assert expected["background"]["lai"]["pit"] == pytest.approx(alone["pit"])
    assert expected["background"]["lai"]["flatness"]["n"] <= 3 * 4 * 3 < alone["n"]
    assert expected["background"]["lai"]["flatness"]["p_value"] > 1e-3


def test_ranks_of_a_larger_ensemble_are_refused(record_numbers) -> None:
    record = made(record_numbers, np.random.default_rng(0), "background", 0)
    with pytest.raises(ValueError, match="among 8 members"):
        Calibrations(8).add([record], np.arange(60), np.zeros(60, int))
    assert Calibrations(8).rows() == {}
