"""Files of weights that a configuration names, by the key that names them.

    forecast.weights                 parameters of a forecaster and of R
    forecast.initial.weights         an encoder that tells the first ensemble
    observe.weights                  an emulator
    state.encoder                    an encoder
    train.start                      what a fit begins with: of a forecaster, or an encoder
    score.network                    a network of one date

Where weights come with the package, ``default`` or no word means these and is no file. A run
directory holds a copy of each, so that it is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from releo_da.config.document import Document

WEIGHTS = "weights.safetensors"
EMULATOR = "emulator.safetensors"
ENCODER = "encoder.safetensors"
NETWORK = "retrieval.safetensors"
INITIAL = "initial.safetensors"
BEGUN = "train_start.safetensors"

START = "train.start"
"""Key of the weights that a fit begins with."""

COPIES = {
    "forecast.weights": WEIGHTS,
    "observe.weights": EMULATOR,
    "state.encoder": ENCODER,
    "score.network": NETWORK,
    "forecast.initial.weights": INITIAL,
    START: BEGUN,
}
"""Names of the copies in a run directory, by key."""

DEFAULT = "default"
"""Stands for the weights of an encoder that come with the package."""

PACKAGED = ("state.encoder", "forecast.initial.weights", START)
"""Keys under which `DEFAULT` is such a word."""


def weights_at(document: Document, key: str) -> Path | None:
    """The file of weights that a key names; None where it names none, or those of the package.

    Args:
        document: the configuration.
        key: one of `COPIES`.

    Raises:
        InputError: as `weights_file`.
    """
    given: Any = document.values
    for part in key.split("."):
        given = given.get(part) if isinstance(given, Mapping) else None
    if given is None or (given == DEFAULT and packaged(document, key)):
        return None
    return weights_file(document, key, given)


def packaged(document: Document, key: str) -> bool:
    """Whether `DEFAULT` is such a word under a key: of fits, only those of an encoder."""
    fit = document.values.get("train")
    of_encoder = isinstance(fit, Mapping) and fit.get("target") == "encoder"
    return key in PACKAGED and (key != START or of_encoder)


def weights_file(document: Document, key: str, given: Any) -> Path:
    """The file that a path means which stands under a key.

    Raises:
        InputError: it is not there, with the key and how such a file is made.
    """
    remedy = "correct the path, or make one with `releo-da train`"
    if packaged(document, key) and get_close_matches(str(given), [DEFAULT], cutoff=0.6):
        remedy = f"did you mean '{DEFAULT}'? If not, {remedy}"
    return document.resolve(given, key, remedy)


def with_weights(values: Mapping[str, Any], key: str, text: str) -> dict[str, Any]:
    """A copy of a configuration's values with a file of weights under a key.

    A component that is written as its name alone becomes an entry with options.
    """
    head, _, rest = key.partition(".")
    if not rest:
        return {**values, head: text}
    below = values[head]
    below = {"name": below} if isinstance(below, str) else below
    return {**values, head: with_weights(below, rest, text)}
