"""How a training went: its loss and that of series it took no step on, look by look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from releo_da.diagnostics.plots import style


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
    rows: Sequence[Mapping[str, float | None]], kept: int | None = None
) -> Figure:
    """Log-likelihood per value and penalty of a fit against the number of epochs done.

    Args:
        rows: with ``epochs``, ``training``, ``held_out`` and ``penalty`` each; None where unknown.
        kept: number of epochs after which the parameters stood that are kept; None for the last.
    """
    made, axes = style.figure(1, 2, 2.8)
    likelihood, penalty = axes[0]

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
    line(penalty, "penalty", color=style.COLOURS["analysis"])
    style.name_axes(penalty, "epochs", "penalty of the priors")
    return made
