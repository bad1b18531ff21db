"""The report of a fit through the filter: curves of what was learned and what judged it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from releo_da.config.train_report import write_train_report
from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots.training import likelihood_curves
from releo_da.io.times import isoformat
from releo_da.learning.fitting import Best, Epoch, Schedule
from releo_da.learning.stretches import Part

Row = dict[str, float | None]


def curves_of(epochs: Sequence[Epoch], last: float | None) -> list[Row]:
    """Log-likelihoods per value and the penalty, by the number of epochs done.

    What is held out and the penalty are of the parameters before the steps of an epoch, the
    likelihood of the training values is met on the way.

    Args:
        epochs: what each reported.
        last: what judged the parameters after all of them; None where nothing did.
    """
    rows: list[Row] = [
        {
            "epochs": float(e.number),
            "training": e.log_likelihood / max(e.observations, 1),
            "held_out": None if e.held_out is None else e.held_out / held_values(e),
            "penalty": e.penalty,
        }
        for e in epochs
    ]
    if last is not None and epochs:
        nothing = dict.fromkeys(("training", "penalty"))
        judged = last / held_values(epochs[-1])
        rows.append({"epochs": float(len(epochs)), "held_out": judged, **nothing})
    return rows


def held_values(epoch: Epoch) -> int:
    """Values that are held out, at least one."""
    return max(epoch.held_out_observations, 1)


def extent(training: Part, judges: Sequence[Part]) -> str:
    """What was learned from and what was held out, in a sentence.

    Args:
        training: what is learned from.
        judges: what is held out; nothing when empty.
    """

    def one(part: Part) -> str:
        first, last = (isoformat(part.acquisitions[k].time)[:10] for k in (0, -1))
        return f"{len(part.pixels):,} pixels ({part.values:,} values, {first} to {last})"

    held = "; nothing was held out" if not judges else f"; held out: {', '.join(map(one, judges))}"
    return f"Learned from {one(training)}{held}."


def turned(schedule: Schedule, epochs: int) -> list[str]:
    """Where the network began to learn, a sentence; nothing where all learned at once."""
    if not 0 < schedule.physics_first < epochs:
        return []
    return [
        f"After {schedule.physics_first} epochs (dotted line) the physics rested and the network "
        "beside it began to learn, at the first learning rate again."
    ]


def ended(epochs: Sequence[Epoch], best: Best | None, schedule: Schedule) -> str:
    """How a fit ended, in a sentence.

    Args:
        epochs: what each reported.
        best: the highest judgement; None where nothing judged.
        schedule: of the fit.
    """
    done, kept = len(epochs), None if best is None else best.number
    if best is None or kept is None:
        return f"The fit did all of its {done} epochs; what is kept are the last parameters."
    each = f"({best.judgement / held_values(epochs[-1]):.3f} per value)" if epochs else ""
    after = (
        f"what is kept are the parameters after {kept}, which what is held out judged best {each}"
    )
    if kept == 0 < done:
        after = (
            "what is held out judged no epoch better than the start: what is kept are the "
            "parameters before any training"
        )
    most, patience = schedule.epochs, schedule.patience
    if done < most:
        why = f"none was better for {patience}"
        if not patience or done - max(kept, schedule.physics_first) < patience:
            why = "the model diverged in the next, which a lower learning_rate may mend"
        return f"The fit ended early, after {done} of {most} epochs, as {why}; {after}."
    return f"The fit did all of its {done} epochs; {after}."


def epochs_table(epochs: Sequence[Epoch], best: Best | None, last: float | None = None) -> Table:
    """Numbers of the first, the best and the last epoch, and what judged it."""
    rows = curves_of(epochs, last)
    names = {"training": "training", "held_out": "held out", "penalty": "penalty"}
    marked = None if best is None else best.number
    places = sorted(
        {0, len(epochs) - 1, len(rows) - 1, *([] if marked is None else [marked])}
        & {*range(len(rows))}
    )
    cells = [
        (
            f"{rows[k]['epochs']:.0f}",
            [
                Cell("" if (v := rows[k][name]) is None else f"{v:.3f}", k == marked)
                for name in names
            ],
        )
        for k in places
    ]
    note = (
        "Log-likelihood per value through the filter, with `train.margins` where there are any (so "
        "fits with other margins do not compare), of the values that are learned from and of "
        "those that are held out, and the penalty of the priors of all parameters. The last two "
        "are of the parameters after so many epochs, the first is met during the steps of the next."
    )
    return Table("Fit", note, ["epochs done", *names.values()], cells)


def write_fit_report(
    root: Path,
    made: Mapping[str, Any],
    epochs: Sequence[Epoch],
    best: Best | None,
    last: float | None,
    said: Sequence[str],
    notes: Sequence[str] = (),
    turn: int = 0,
) -> Path:
    """Write ``report.html`` with its figure; returns its path.

    Args:
        root: the run directory.
        made: what made the run.
        epochs: what each reported.
        best: the highest judgement; None where nothing judged.
        last: what judged the last parameters; None where nothing did.
        said: how the fit ended.
        notes: what to know of the series.
        turn: number of epochs after which the network began to learn; 0 where all did at once.
    """
    pictures = [likelihood_picture(epochs, best, last, turn)]
    return write_train_report(root, made, [epochs_table(epochs, best, last)], pictures, said, notes)


def likelihood_picture(
    epochs: Sequence[Epoch], best: Best | None = None, last: float | None = None, turn: int = 0
) -> Picture:
    """Curves of a fit; arguments as in `write_fit_report`."""
    caption = (
        "Log-likelihood per value of what is learned from and of what is held out (left), by the "
        "number of epochs done, and the penalty of the priors where there are any (right). What "
        "judges is not learned from, so that its level is another; the mark is where the "
        "parameters stood that are kept. The likelihood of training is met during the steps of an "
        "epoch, so it ends one earlier."
    )
    kept = None if best is None else best.number
    figure = likelihood_curves(curves_of(epochs, last), kept, turn)
    return Picture("likelihood", "Likelihood", caption, figure)
