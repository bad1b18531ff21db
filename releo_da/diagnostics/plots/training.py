"""How a training went: its loss and that of series it took no step on, look by look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
