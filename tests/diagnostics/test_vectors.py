"""Vector scores as sums: parts add up to the whole, what has no spread is left out."""

from __future__ import annotations

import numpy as np
import pytest

from releo_da.diagnostics.multivariate import energy_score, variogram_score
from releo_da.diagnostics.vectors import Vectors


def test_parts_add_up_to_the_means_of_the_scores() -> None:
    rng = np.random.default_rng(3)
    truth, members = rng.normal(size=(30, 4)), rng.normal(size=(30, 8, 4))
    truth[4, 1] = np.nan
    scale = np.array([1.0, 2.0, 0.0, 0.5])
    held = scale > 0
    parts = [Vectors() for _ in range(3)]
    for k, part in enumerate(parts):
        part.add("analysis", truth[k::3], members[k::3], scale)
    whole = Vectors()
    for part in parts:
        whole += part
    row = whole.rows()["analysis"]
    said = truth[:, held], members[..., held], scale[held]
    assert row["n"] == 29
    assert row["energy"] == pytest.approx(np.nanmean(energy_score(*said, fair=True)))
    assert row["variogram"] == pytest.approx(np.nanmean(variogram_score(*said, fair=True)))


def test_nothing_with_spread_says_nothing() -> None:
    empty = Vectors()
    empty.add("analysis", np.ones((2, 2)), np.ones((2, 3, 2)), np.zeros(2))
    assert empty.rows() == {}
