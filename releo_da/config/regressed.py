"""What trainings by regression have in common: the check of their sizes, their files and report.

The emulator of the canopy model and the network that reads one acquisition are both fitted by
`releo_da.learning.regression` to draws of a simulator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from releo_da.config.run_files import Opened
from releo_da.config.train_report import write_train_report
from releo_da.diagnostics.cells import Table
from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots.training import pass_curve
from releo_da.io import write_json
from releo_da.learning.regression import Pass
from releo_da.types import InputError

DRAWS = 256
"""Draws that a fit, or its scores, need at least."""


def check_sizes(draws: Mapping[str, int], sizes: Mapping[str, int], learning_rate: float) -> None:
    """Refuse numbers of ``train`` that no fit can be made with.

    Args:
        draws: numbers of draws by name.
        sizes: other numbers of which there must be one at least.
        learning_rate: of Adam.

    Raises:
        InputError: one is too small, by its key.
    """
    least = {**dict.fromkeys(draws, DRAWS), **dict.fromkeys(sizes, 1)}
    for name, value in {**draws, **sizes}.items():
        if value < least[name]:
            raise InputError(f"train.{name} is {value}; give {least[name]} or more")
    if not learning_rate > 0:
        raise InputError(f"train.learning_rate is {learning_rate}; give a positive number")


def write_passes(
    opened: Opened,
    passes: Sequence[Pass],
    loss: tuple[str, Sequence[float]],
    tables: Sequence[Table],
    picture: Picture,
    ended: str,
    **found: Any,
) -> None:
    """Write the passes into log.jsonl, with what was found by name into train.json, and a report.

    Args:
        opened: the run directory.
        passes: of the training.
        loss: what is drawn of them, its name and its values.
        tables: of scores on draws that were held out.
        picture: of these.
        ended: what was made and how well it does, in a sentence.
        found: entries of train.json.
    """
    for one in passes:
        opened.log.write({"kind": "pass", **one._asdict()})
    told = {"passes": [one._asdict() for one in passes], **found, "ended": ended}
    write_json(opened.root / "train.json", told)
    caption = "By pass over the draws, mean over its batches, of the weights at the time."
    curve = Picture("loss", "Loss", caption, pass_curve(loss[1], loss[0]))
    write_train_report(opened.root, opened.made, tables, [curve, picture], [ended])
