"""On what the baselines of a hindcast were fitted, in words for its tables and captions.

``in_sample`` of scores.json is true where nothing is older than the forecasts that are scored, so
that baselines were fitted on the very values that they are scored on, and false where something is.
A study, whose baselines are fitted on the part that it fits on, has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY = "in_sample"
"""In scores.json."""


def of_forecasts(scores: Mapping[str, Any]) -> str:
    """Where parameters of baselines of forecasts come from, a sentence."""
    what = "Parameters of baselines, and the harmonic curve, come from "
    if KEY not in scores:
        return (
            what + "the part that the run was fitted on, or from the scored series itself where it "
            "was not fitted."
        )
    if scores[KEY]:
        return (
            what + "the values that are scored (in sample), which favours them: let "
            "score.forecast_period begin later than the period, or take folds in a study, to fit "
            "them on others."
        )
    return what + "dates of the same series before those that are scored."


def of_withheld(scores: Mapping[str, Any]) -> str:
    """Where those of baselines on withheld values come from, a sentence; nothing of a study."""
    if KEY not in scores:
        return ""
    return " Baselines are fitted on what was not hidden, of the same pixels and period."
