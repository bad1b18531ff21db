"""Sums over cycles give the scores of all values at once."""

import numpy as np
import pytest

from releo_da.diagnostics.scores import summarise_records
from releo_da.diagnostics.streaming import row, sums, total
from releo_da.diagnostics.verification import FIELDS


def records(seed):
    rng = np.random.default_rng(seed)
    numbers = rng.normal(0.3, 0.1, (7, 2, len(FIELDS)))
    numbers[..., FIELDS.index("q05")] -= 0.1
    numbers[..., FIELDS.index("q95")] += 0.1
    numbers[rng.uniform(size=(7, 2)) < 0.4] = np.nan
    return numbers


def test_growing_sums_give_the_scores_of_everything():
    parts = [records(seed) for seed in range(5)]
    grown = total([dict(zip(("B04", "B08"), sums(p).tolist(), strict=True)) for p in parts])
    whole = np.concatenate(parts)
    wanted = ("observed", "mean", "sd", "crps", "q05", "q95", "crps_fair")
    for k, name in enumerate(("B04", "B08")):
        fields = [whole[:, k, FIELDS.index(field)] for field in wanted]
        expected = summarise_records(*fields)
        del expected["median_abs"]
        assert row(grown[name]) == pytest.approx(expected, rel=1e-12)
        assert 0 < expected["n"] < 35


def test_what_is_not_finite_is_counted_and_the_rest_is_scored():
    numbers = np.abs(records(0))[:, :1]
    asked = np.isfinite(numbers[:, 0, 0])
    broken = numbers.copy()
    broken[np.flatnonzero(asked)[0], 0, 1:] = np.nan
    few = np.delete(numbers, np.flatnonzero(asked)[0], 0)
    assert sums(broken)[0, -1] == 1 and sums(numbers)[0, -1] == 0
    assert row(sums(broken)[0]) == row(sums(few)[0])
    assert total([{"a": np.ones(8)}, {"a": np.ones(9)}])["a"].tolist() == [2.0] * 8 + [1.0]


def test_nothing_compared_adds_nothing():
    assert not sums(np.full((3, 2, len(FIELDS)), np.nan)).any()
