"""The section ``train`` of a configuration: how a system is fitted, and on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from releo_da.config.margins import checked_margins
from releo_da.config.registry import bind
from releo_da.config.sections import as_period
from releo_da.learning.fitting import Schedule
from releo_da.learning.gaps import Gaps
from releo_da.types import InputError


@dataclass(frozen=True)
class Train:
    """How a system is fitted, and on what.

    Attributes:
        period: first and last day.
        members: ensemble size.
        pixels: at most so many.
        schedule: how long and how fast.
        held_out: share of the pixels that only judge.
        held_out_years: years that only judge.
        weather_hidden: probability that a pixel's weather is hidden in an epoch.
        margins: weights of densities beside the joint one, by name of an index or ``channels``.
        start: path of weights whose dynamics the fit begins with; None for none.
        keep: parameters that are not fitted, by the last part of their names.
    """

    period: tuple[float, float] = (-np.inf, np.inf)
    members: int = 48
    pixels: int = 256
    schedule: Schedule = field(default_factory=Schedule)
    held_out: float = 0.0
    held_out_years: tuple[int, ...] = ()
    weather_hidden: float = 0.0
    margins: Mapping[str, float] = field(default_factory=dict)
    start: str | None = None
    keep: tuple[str, ...] = ()


def train(
    period: Sequence[Any] | None = None,
    epochs: int = 60,
    members: int = 48,
    learning_rate: float = 0.05,
    truncate: int = 10,
    stretches: int = 0,
    batch: int = 0,
    pixels: int = 256,
    gaps: dict[str, Any] | None = None,
    held_out: float = 0.0,
    held_out_years: Sequence[int] = (),
    patience: int = 0,
    weather_hidden: float = 0.0,
    margins: dict[str, float] | None = None,
    start: str | None = None,
    physics_first: int = 0,
    keep: Sequence[str] = (),
    target: Literal["dynamics"] = "dynamics",
) -> Train:
    """How a system is fitted.

    Args:
        period: first and last day that are fitted; the whole run unless given.
        epochs: passes over the data; 0 leaves all parameters as they start.
        members: ensemble size while fitting.
        learning_rate: of Adam; it falls to zero as a cosine.
        truncate: acquisitions per stretch of back-propagation.
        stretches: after how many of them parameters take a step, while the filter goes on; 0 for
            the whole series. A year of a seasonal model should not be cut; of a record of a toy
            model, where 0 stands for 1, every stretch tells as much as another.
        batch: pixels per step; 0 for all. A network needs several steps per epoch.
        pixels: at most so many pixels, evenly spaced over those of the series.
        gaps: ``{single: 0.2, stretch: 0.6, days: [15, 75]}``, how observations are hidden.
        held_out: share of the pixels that judge every epoch and are not learned from; what is kept
            are the parameters that judged best. Neighbours are held out together.
        held_out_years: years of the period that judge likewise, all pixels in them.
        patience: epochs without a better judgement after which the fit ends; 0 for never.
        weather_hidden: probability that a pixel's weather is hidden in an epoch, so that a run
            without weather is known ground to a forecaster under weather.
        margins: ``{ndvi: 5, channels: 1}``, weights of the density of an index, or of each channel
            on its own, that count beside the joint density of all channels: what a fit cares for.
        start: path of weights of another fit, of simulated series for one, whose dynamics this one
            begins with and has its priors about; residuals and R begin as without it.
        physics_first: epochs in which the physics learns and the network stays as it starts, and
            after which it is the other way round; 0 lets both learn at once.
        keep: parameters that stay as they start, such as ``residual_mean``: names of
            `releo_da.learning.anchors`.
        target: ``dynamics``, with the observation error; ``emulator``, ``encoder`` and
            ``retrieval`` have options of their own.
    """
    within = (-np.inf, np.inf)
    if period is not None:
        within = as_period(period, "train.period")
    hidden = bind(Gaps, gaps, "train.gaps")()
    least = {"epochs": 0, "members": 2, "truncate": 1, "stretches": 0, "batch": 0, "pixels": 1}
    given = {
        "epochs": epochs, "members": members, "truncate": truncate, "stretches": stretches,
        "batch": batch, "pixels": pixels,
    }  # fmt: skip
    for name, value in given.items():
        if value < least[name]:
            raise InputError(f"train.{name} is {value}; give {least[name]} or more")
    if not learning_rate > 0:
        raise InputError(f"train.learning_rate is {learning_rate}; give a positive number")
    shares = {
        "gaps.single": hidden.single, "gaps.stretch": hidden.stretch,
        "weather_hidden": weather_hidden,
    }  # fmt: skip
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise InputError(f"train.{name} is {share}; give a probability from 0 to 1")
    if not 0.0 <= held_out <= 0.5:
        raise InputError(f"train.held_out is {held_out}; give a share from 0 to 0.5")
    if not 0 <= physics_first < max(epochs, 1):
        raise InputError(
            f"train.physics_first is {physics_first} of {epochs} epochs; give 0, or fewer than "
            "all, so that the network learns in the rest"
        )
    if patience < 0 or (patience and not held_out and not held_out_years):
        raise InputError(
            f"train.patience is {patience} and nothing is held out; give 0, or epochs to wait and "
            "a share of pixels (held_out) or years (held_out_years) that judge them"
        )
    counted = checked_margins(margins)
    schedule = Schedule(
        epochs, learning_rate, truncate, stretches, batch, hidden, patience, physics_first
    )
    return Train(
        within, members, pixels, schedule, held_out, tuple(held_out_years), weather_hidden, counted,
        start, tuple(keep),
    )  # fmt: skip
