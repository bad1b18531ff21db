"""What an assimilation must beat: simple methods on the same values, by the same rules.

`score_baselines` fits and scores all of `BASELINES` on tables ``[pixel, date]`` and returns the
``baselines`` of scores.json; `score_in_situ` does the same for field measurements.
"""

from releo_da.diagnostics.baselines.channels import determined, from_others, partners
from releo_da.diagnostics.baselines.in_situ import constant, line, score_in_situ
from releo_da.diagnostics.baselines.protocol import (
    BASELINES,
    ON_REQUEST,
    Predicted,
    predict,
    predict_between,
    rivals,
    score_baselines,
)
from releo_da.diagnostics.baselines.series import (
    Baseline,
    Prediction,
    Series,
    days,
    part,
    series,
    withheld,
)

__all__ = [
    "BASELINES",
    "ON_REQUEST",
    "Baseline",
    "Predicted",
    "Prediction",
    "Series",
    "constant",
    "days",
    "determined",
    "from_others",
    "line",
    "part",
    "partners",
    "predict",
    "predict_between",
    "rivals",
    "score_baselines",
    "score_in_situ",
    "series",
    "withheld",
]
