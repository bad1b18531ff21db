r"""A channel from the others of the same acquisition: the rival of who predicts a hidden channel.

    y_c = b_0 + sum_{k != c} b_k y_k + e,      b by least squares over the training part

with one row per pixel and date of the training part on which all of these channels were seen, and
the mean of the training part where no others are given. The distribution of a prediction is that of
the residuals e. It has seen the channel in training, at other places or in other years; it knows
neither date, angles nor error. Cost: one least-squares fit of as many unknowns as channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from releo_da.diagnostics.baselines.protocol import Predicted, thinly
from releo_da.diagnostics.baselines.series import Array, Prediction, Series
from releo_da.types import InputError

TOGETHER = 0.5
"""A channel is a predictor where it was seen with at least this share of the target's values."""


def partners(training: Mapping[str, Series], channel: str) -> list[str]:
    """The channels that are usually seen with another one: of the same sensors.

    Args:
        training: per channel, on one axis of dates.
        channel: that is predicted.
    """
    seen = training[channel].seen
    shares = {n: (t.seen & seen).sum() / max(seen.sum(), 1) for n, t in training.items()}
    return [n for n, share in shares.items() if n != channel and share >= TOGETHER]


def together(training: Mapping[str, Series], channel: str, others: Sequence[str]) -> Array:
    """Where a channel and its predictors were all seen, ``[pixel, date]`` bool."""
    found: Array = np.all([training[n].seen for n in (channel, *others)], 0)
    return found


def determined(training: Mapping[str, Series], channel: str, others: Sequence[str]) -> bool:
    """Whether a training part has more such rows than a line has unknowns.

    Args:
        training: per channel, what the line is fitted on.
        channel: that is predicted.
        others: that it is predicted from.
    """
    return bool(together(training, channel, others).sum() > len(others) + 1)


def from_others(
    training: Mapping[str, Series],
    scored: Mapping[str, Series],
    channel: str,
    others: Sequence[str],
) -> Predicted:
    """A channel predicted from others by a line that was fitted on a training part.

    Args:
        training: per channel, what the line is fitted on.
        scored: per channel, the series that is predicted; of the channel only the shape is used.
        channel: that is predicted.
        others: that it is predicted from; without any it is the mean of the training part.

    Returns:
        mean ``[pixel, date]``, NaN where one of the others was not seen, and residuals.

    Raises:
        InputError: the training part never saw all channels together as often as there are
            unknowns.
    """
    rows = together(training, channel, others)
    if not determined(training, channel, others):
        raise InputError(
            f"channel {channel}: the training part has {int(rows.sum())} values seen together with "
            f"{', '.join(others) or 'nothing else'}; give a longer one"
        )
    design = _design([training[n].values[rows] for n in others], int(rows.sum()))
    target = training[channel].values[rows]
    slopes = np.linalg.lstsq(design, target, rcond=None)[0]
    shape = scored[channel].values.shape
    given = [np.where(scored[n].seen, scored[n].values, np.nan).ravel() for n in others]
    mean = (_design(given, int(np.prod(shape))) @ slopes).reshape(shape)
    return Predicted(Prediction(mean), thinly(target - design @ slopes))


def _design(columns: Sequence[Array], rows: int) -> Array:
    """A column of ones, then the predictors, ``[row, 1 + predictor]``."""
    return np.stack([np.ones(rows), *columns], 1)
