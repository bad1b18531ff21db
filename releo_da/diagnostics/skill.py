r"""Skill: what share of a reference's error is gone.

    skill = 1 - score / score of the reference

1 is perfect, 0 no better than the reference, negative worse. Of the RMSE, the MAE and the CRPS,
whose perfect value is 0. A reference is a row over the same values: a baseline, the free run of a
twin, climatology. Whether a difference is chance is said by `paired.paired_interval`, not by its
size.

Reference: Wilks (2011), Statistical Methods in the Atmospheric Sciences, 3rd ed., section 8.1.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

SCORES = ("rmse", "mae", "crps", "crps_fair")
"""Scores of which 0 is perfect."""


def skill(row: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, float]:
    """The skill of one row of scores.json against another, by score.

    Scores that either lacks are left out; NaN where the reference makes no error or a number is
    absent.
    """
    return {
        name: _share(row[name], reference[name])
        for name in SCORES
        if name in row and name in reference
    }


def skills(found: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Skill of every row that both trees of scores.json hold, in a tree of the same keys.

    Args:
        found: scores of a run: ``{variable: row}``, or ``{case: {variable: row}}`` and deeper.
        reference: scores of a baseline, with the same keys where it has any.
    """
    if is_row(found):
        return skill(found, reference)
    pairs = {
        name: skills(found[name], reference[name])
        for name in found
        if name in reference
        and isinstance(found[name], Mapping)
        and isinstance(reference[name], Mapping)
    }
    return {name: held for name, held in pairs.items() if held}


def is_row(tree: Mapping[str, Any]) -> bool:
    """Whether a part of scores.json is a row: it holds scores and not parts."""
    return any(name in tree for name in SCORES)


def _share(score: float | None, reference: float | None) -> float:
    """1 - score / reference."""
    if score is None or not reference:
        return math.nan
    return 1.0 - score / reference
