"""How a training went, look by look or pass by pass, and what it does on what it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from releo_da.diagnostics import scores
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.style import Array


def loss_curves(looks: Sequence[Mapping[str, float]]) -> Figure:
    """Loss against the step; the best look is marked.

    Args:
        looks: with ``step``, ``train``, ``validation`` and ``prediction`` each.
    """
    made, axes = style.figure(1, 2, 2.8)
    steps = [look["step"] for look in looks]
    best = min(looks, key=lambda look: look["validation"])
    loss, prediction = axes[0]
    loss.plot(steps, [look["train"] for look in looks], color=style.FAINT, label="training")
    loss.plot(
        steps, [look["validation"] for look in looks], color=style.COLOURS["analysis"],
        label="validation",
    )  # fmt: skip
    loss.plot(best["step"], best["validation"], "o", color=style.COLOURS["smoothed"], label="kept")
    style.name_axes(loss, "step", "loss")
    style.legend(loss)
    prediction.plot(steps, [look["prediction"] for look in looks], color=style.COLOURS["analysis"])
    style.name_axes(prediction, "step", "minus log-likelihood per hidden value")
    return made


def likelihood_curves(
    rows: Sequence[Mapping[str, float | None]], kept: int | None = None, turn: int = 0
) -> Figure:
    """Log-likelihood per value and penalty, where there is one, against the number of epochs done.

    Args:
        rows: with ``epochs``, ``training``, ``held_out`` and ``penalty`` each; None where unknown.
        kept: number of epochs after which the parameters stood that are kept; None for the last.
        turn: number of epochs after which other parameters moved; 0 for never.
    """
    panels = 2 if any(row["penalty"] for row in rows) else 1
    made, axes = style.figure(1, panels, 2.8, width=(0.55, 1.0)[panels - 1] * style.WIDTH)
    likelihood = axes[0, 0]

    def line(axis: Axes, name: str, **options: Any) -> None:
        known = [(row["epochs"], row[name]) for row in rows if row[name] is not None]
        if known:
            axis.plot(*zip(*known, strict=True), **options)

    line(likelihood, "training", color=style.FAINT, label="training")
    line(likelihood, "held_out", color=style.COLOURS["analysis"], label="held out")
    marked = [row for row in rows if kept is not None and row["epochs"] == kept]
    for row in marked:
        likelihood.plot(
            row["epochs"], row["held_out"], "o", color=style.COLOURS["smoothed"], label="kept"
        )
    style.name_axes(likelihood, "epochs", "log-likelihood per value")
    style.legend(likelihood)
    if panels > 1:
        line(axes[0, 1], "penalty", color=style.COLOURS["analysis"])
        style.name_axes(axes[0, 1], "epochs", "penalty of the priors")
    for axis in axes[0] if turn else ():
        axis.axvline(turn, color=style.FAINT, linestyle=":")
    return made


def pass_curve(values: Sequence[float], name: str) -> Figure:
    """A loss against the number of passes over the draws; its axis is logarithmic where it can be.

    Args:
        values: of each pass.
        name: of what they are.
    """
    made, axes = style.figure(1, 1, 2.8, width=0.55 * style.WIDTH)
    (one,) = axes.flat
    one.plot(range(1, len(values) + 1), values, ".-", color=style.COLOURS["analysis"])
    if min(values, default=0.0) > 0.0:
        one.set_yscale("log")
    style.name_axes(one, "pass", name)
    return made


def spectral_errors(
    centres: Sequence[float], errors: Mapping[str, Mapping[str, Sequence[float]]]
) -> Figure:
    """Errors of channels against their wavelengths, a panel per statistic.

    Args:
        centres: of the channels (nm).
        errors: statistic -> population -> ``[channel]``.
    """
    made, axes = style.figure(1, len(errors), 2.8)
    order = np.argsort(centres)
    for one, (statistic, populations) in zip(axes[0], errors.items(), strict=True):
        for name, values in populations.items():
            colour, marker = style.colour(name, populations)
            one.plot(
                np.asarray(centres)[order], np.asarray(values)[order], marker=marker,
                markersize=3.5, linewidth=1, color=colour, label=name,
            )  # fmt: skip
        one.set_ylim(bottom=0.0)
        style.name_axes(one, "wavelength (nm)", "error of reflectance", statistic)
    style.legend(axes[0, 0])
    return made


def read_beside_truth(truth: Mapping[str, Array], read: Mapping[str, Array]) -> Figure:
    """What was read of draws against what they are, a panel per variable, by density.

    Args:
        truth: label -> ``[draw]``.
        read: likewise.
    """
    columns = min(3, len(truth))
    rows = -(-len(truth) // columns)
    made, axes = style.figure(rows, columns, 2.6, width=style.WIDTH * max(columns, 2) / 3)
    for spare in axes.flat[len(truth) :]:
        spare.set_visible(False)
    for one, (name, there) in zip(axes.flat, truth.items(), strict=False):
        low, high = float(np.min(there)), float(np.max(there))
        limits = (low, high, low, high)
        one.hexbin(there, read[name], gridsize=40, bins="log", extent=limits, cmap="Blues")
        one.plot([low, high], [low, high], color=style.FAINT, linewidth=1, linestyle="--")
        one.set(xlim=(low, high), ylim=(low, high))
        told = f"RMSE {scores.rmse(there, read[name]):.3g}, r² {scores.r2(there, read[name]):.2f}"
        style.name_axes(one, f"true {name}", "read")
        one.set_title(told, fontsize=8, loc="left", color=style.INK)
    return made
