"""What trainings by regression have in common: the check of their sizes, their passes on file.

The emulator of the canopy model and the network that reads one acquisition are both fitted by
`releo_da.learning.regression` to draws of a simulator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from releo_da.io import JsonLines, write_json
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


def write_passes(root: Path, log: JsonLines, passes: Sequence[Pass], **found: Any) -> None:
    """Write the passes into log.jsonl, and with what was found by name into train.json."""
    for one in passes:
        log.write({"kind": "pass", **one._asdict()})
    write_json(root / "train.json", {"passes": [p._asdict() for p in passes], **found})
