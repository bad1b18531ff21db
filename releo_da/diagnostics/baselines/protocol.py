"""One protocol for all baselines: fit on a training part, score beside the assimilation.

A Kalman baseline has a Gaussian of its own. The others are given the distribution that they
earned: their residuals on the training part under the same rule (withheld dates at every offset
for smoothing, the same horizon for forecasts), added to the prediction. Nothing is read from what
is scored: `training` may be other pixels, another period, or another place with its own dates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from releo_da.diagnostics.baselines.climatology import HARMONIC
from releo_da.diagnostics.baselines.double_logistic import DOUBLE_LOGISTIC
from releo_da.diagnostics.baselines.gru import GRU
from releo_da.diagnostics.baselines.interpolation import LINEAR, PERSISTENCE, SAVITZKY_GOLAY
from releo_da.diagnostics.baselines.kalman import MATERN_KALMAN, OU_KALMAN
from releo_da.diagnostics.baselines.place import PLACE_DAY_OF_YEAR, PLACE_HARMONIC
from releo_da.diagnostics.baselines.series import (
    Array,
    Baseline,
    Prediction,
    Series,
    withheld,
)
from releo_da.diagnostics.baselines.whittaker import WHITTAKER
from releo_da.diagnostics.leads import Bin, Pairs, pairs_of
from releo_da.diagnostics.scores import (
    crps_empirical,
    crps_gaussian,
    summarise_gaussian,
    summarise_residual,
)
from releo_da.types import InputError

BASELINES: tuple[Baseline, ...] = (
    PERSISTENCE,
    LINEAR,
    WHITTAKER,
    SAVITZKY_GOLAY,
    DOUBLE_LOGISTIC,
    HARMONIC,
    PLACE_DAY_OF_YEAR,
    PLACE_HARMONIC,
    OU_KALMAN,
    MATERN_KALMAN,
)

ON_REQUEST: tuple[Baseline, ...] = (GRU,)
"""Those that take longer than all others together."""

RESIDUALS = 100_000  # at most; evenly thinned beyond

Nested = dict[str, Any]


def rivals(also: Iterable[str] = ()) -> tuple[Baseline, ...]:
    """`BASELINES`, and those of `ON_REQUEST` that are named."""
    named = set(also)
    return (*BASELINES, *(b for b in ON_REQUEST if b.name in named))


class Predicted(NamedTuple):
    """A baseline's prediction of one variable with its distribution.

    Attributes:
        prediction: mean and sd, ``[pixel, date]`` or ``[pair]``.
        residuals: ``[sample]`` of the training part; used where the prediction has no sd.
    """

    prediction: Prediction
    residuals: Array

    def summary(self, observed: Array, targets: Array) -> dict[str, float]:
        """The row of scores.json on the targets, ``[pixel, date]`` bool."""
        mean, sd = self.prediction
        if sd is not None:
            return summarise_gaussian(observed[targets], mean[targets], sd[targets])
        return summarise_residual(observed[targets], mean[targets], self.residuals)

    def crps(self, observed: Array) -> Array:
        """CRPS of every value, shaped as the prediction, for paired intervals."""
        mean, sd = self.prediction
        if sd is not None:
            return crps_gaussian(observed, mean, sd)
        return crps_empirical(observed, mean, self.residuals)


def predict(
    baseline: Baseline,
    fitted: Any,
    training: Series,
    scored: Series,
    horizon: float | None = None,
    every: int = 3,
) -> Predicted:
    """Predicts every date of the scored series, with the distribution that goes with it.

    Args:
        baseline: the method.
        fitted: ``baseline.fit(training)``.
        training: the part whose residuals are the distribution of a method without its own.
        scored: ``seen`` are the values that may be used (for smoothing without the targets; for
            forecasts all of them, as the horizon decides which are old enough).
        horizon: days; None smooths.
        every: one in how many dates is withheld when residuals of smoothing are collected.
    """
    prediction = run(baseline, fitted, scored, horizon)
    known = np.empty(0)
    if prediction.sd is None:
        known = residuals(baseline, fitted, training, horizon, every)
    return Predicted(prediction, known)


def predict_between(
    baseline: Baseline,
    fitted: Any,
    training: Series,
    scored: Series,
    pairs: Pairs,
    bins: Sequence[Bin],
    first: float = np.inf,
) -> list[Predicted]:
    """Predicts targets from origins, one prediction per bin of lead.

    Args:
        baseline: a method with ``between``.
        fitted: ``baseline.fit(training)``.
        training: the part whose residuals, from all its origins, are the distribution of a method
            without its own.
        scored: all that was seen.
        pairs: of the scored series.
        bins: of the pairs.
        first: when what is scored begins; a past of the scored pixel ends before it.

    Raises:
        InputError: where the method cannot do this.
    """
    if baseline.between is None:
        raise InputError(f"the baseline {baseline.name} cannot forecast by bins; choose another")
    limited = fitted if baseline.until is None else baseline.until(fitted, first)
    mean, sd = baseline.between(limited, scored, pairs)
    known = np.empty(0)
    past = pairs_of(training.times, training.seen, bins)
    if sd is None:
        known = training.values[past.pixel, past.target]
        known = known - baseline.between(fitted, training, past).mean
    found = []
    for number in range(len(bins)):
        here = pairs.bin == number
        if sd is not None:
            found.append(Predicted(Prediction(mean[here], sd[here]), known))
        else:
            found.append(Predicted(Prediction(mean[here]), thinly(known[past.bin == number])))
    return found


def run(baseline: Baseline, fitted: Any, series: Series, horizon: float | None) -> Prediction:
    """Smooths where horizon is None, forecasts otherwise.

    Raises:
        InputError: where the method cannot do this.
    """
    if horizon is None and baseline.smooth is not None:
        return baseline.smooth(fitted, series)
    if horizon is not None and baseline.forecast is not None:
        return baseline.forecast(fitted, series, horizon)
    task = "smooth" if horizon is None else "forecast"
    raise InputError(f"the baseline {baseline.name} cannot {task}; choose another")


def residuals(
    baseline: Baseline, fitted: Any, training: Series, horizon: float | None, every: int
) -> Array:
    """Observation minus prediction on the training part under the same rule, ``[sample]``."""
    if horizon is not None:
        predicted = run(baseline, fitted, training, horizon).mean
        found = (training.values - predicted)[training.seen]
    else:
        parts = []
        for offset in range(every):
            target = withheld(training.seen, every, offset)
            rest = training._replace(seen=training.seen & ~target)
            parts.append((training.values - run(baseline, fitted, rest, None).mean)[target])
        found = np.concatenate(parts)
    return thinly(found)


def thinly(residuals: Array) -> Array:
    """The finite ones, evenly thinned to at most `RESIDUALS`, ``[sample]``."""
    found = residuals[np.isfinite(residuals)]
    return found[:: -(-len(found) // RESIDUALS) or 1]


def score_baselines(
    training: Mapping[str, Series],
    scored: Mapping[str, Series],
    targets: Mapping[str, Array],
    horizons: Iterable[float] | None = None,
    every: int = 3,
    baselines: Iterable[Baseline] = BASELINES,
) -> Nested:
    """Every baseline on every variable, in the shape of scores.json.

    Args:
        training: per variable, the series that baselines are fitted on.
        scored: per variable, the series with ``seen`` as what may be used.
        targets: per variable, ``[pixel, date]`` bool, the values that are predicted and scored;
            they are read from ``scored[variable].values`` and only there.
        horizons: days; None scores smoothing.
        every: the withholding rule, for the residuals of smoothing.
        baselines: the methods.

    Returns:
        ``{baseline: {"smoothed": {variable: row}}}`` or
        ``{baseline: {"forecast": {horizon: {variable: row}}}}``.
    """
    result: Nested = {}
    cases: list[float | None] = [None] if horizons is None else list(horizons)
    for baseline in baselines:
        if (baseline.smooth if horizons is None else baseline.forecast) is None:
            continue
        for variable, series in scored.items():
            wanted = np.asarray(targets[variable], bool)
            fitted = baseline.fit(training[variable])
            for horizon in cases:
                found = predict(baseline, fitted, training[variable], series, horizon, every)
                place = shelf(result, baseline.name, horizon)
                place[variable] = found.summary(series.values, wanted)
    return result


def shelf(result: Nested, name: str, horizon: float | None) -> Nested:
    """Where the rows of one baseline and horizon stand in the nested scores."""
    place = result.setdefault(name, {})
    if horizon is None:
        return place.setdefault("smoothed", {})
    return place.setdefault("forecast", {}).setdefault(f"{horizon:g}", {})
