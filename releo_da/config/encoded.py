"""Where a configuration names an encoder, and what an encoder must know of the sensors of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from releo_da.config.document import Document
from releo_da.config.encoder_weights import Kept, encoder_of
from releo_da.config.weight_paths import DEFAULT, weights_file
from releo_da.representation.tokens import Bands
from releo_da.sensors import load_sensor

ENCODER = "encoder"
"""The option of ``state`` that names the weights of an encoder."""


def state_entry(document: Document) -> Any:
    """The configuration entry of the state without what is not its own."""
    spec = document.values.get("state", "prosail")
    if not isinstance(spec, dict):
        return spec
    return {key: value for key, value in spec.items() if key != ENCODER}


def encoder_named(document: Document) -> Kept:
    """The encoder of ``state: {name: prosail, encoder: ..}``, that of the package unless given.

    Raises:
        InputError: as `releo_da.config.encoder_weights.encoder_of`, or the file is not there.
    """
    spec = document.values.get("state")
    given = spec.get(ENCODER) if isinstance(spec, dict) else None
    return encoder_at(document, f"state.{ENCODER}", given)


def encoder_at(document: Document, where: str, given: Any) -> Kept:
    """The encoder that an entry names: ``default``, nothing, or a path.

    Raises:
        InputError: as `encoder_named`.
    """
    if given in (None, DEFAULT):
        return encoder_of(where, DEFAULT)
    return encoder_of(where, weights_file(document, where, given))


def bands_of(channels: Mapping[str, tuple[str, ...]]) -> Bands:
    """For each sensor the centres and widths (nm) of its channels; NaN of what is no band."""
    found = {}
    for sensor, names in channels.items():
        described = load_sensor(sensor)
        rows = described.index(names)
        found[sensor] = ([described.centres[k] for k in rows], [described.widths[k] for k in rows])
    return found
