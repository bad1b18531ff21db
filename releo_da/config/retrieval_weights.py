"""A retrieval on file: its weights, the sensors and channels that it reads, what made it.

A safetensors file whose metadata are one JSON object. Tensors are single precision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import save_file
from torch import Tensor

from releo_da.config.document import Document
from releo_da.config.sections import score, section
from releo_da.config.weight_paths import weights_at
from releo_da.io.atomic import replacing
from releo_da.io.tensors import read_tensors, refuse_infinite
from releo_da.observation.derived import described
from releo_da.representation.retrieval import Retrieval
from releo_da.runs.retrieved import Reading
from releo_da.strict_json import parse
from releo_da.types import InputError

KEY = "retrieval"
"""Entry of the metadata, a JSON object."""
FORM = 1
"""Of the inputs and coordinates; another one is another network."""
REMEDY = "make one with `releo-da train` and train: {target: retrieval}"


class Kept(NamedTuple):
    """A network and what it reads.

    Attributes:
        network: with its weights.
        sensors: whose acquisitions it reads.
        channels: of them, in the order of its inputs.
    """

    network: Retrieval
    sensors: tuple[str, ...]
    channels: tuple[str, ...]


def write_retrieval(path: Path, kept: Kept, made: Mapping[str, Any]) -> None:
    """Write a retrieval, whole or not at all.

    Args:
        path: of the file.
        kept: what is written.
        made: what made it and how well it does, as the metadata say.
    """
    told = {
        "form": FORM,
        "variables": kept.network.names,
        "sensors": kept.sensors,
        "channels": kept.channels,
        **made,
    }
    tensors = {name: t.float().contiguous() for name, t in kept.network.state_dict().items()}
    with replacing(path) as temporary:
        # One entry, since several would come in any order and the file would not be reproducible.
        save_file(tensors, str(temporary), metadata={KEY: json.dumps(told, default=str)})


def read_retrieval(path: Path) -> Kept:
    """Read a retrieval.

    Raises:
        InputError: the file is missing, none, damaged, or of another form.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of a retrieval; {REMEDY}")
    metadata, held = read_tensors(path, "a file of a retrieval", REMEDY)
    told = parse(metadata.get(KEY, "{}"), f"{path}: metadata '{KEY}'", REMEDY)
    if not isinstance(told, dict) or told.get("form") != FORM:
        raise InputError(f"{path}: is no file of a retrieval of form {FORM}; {REMEDY}")
    names, sensors, channels = (_names(told.get(k)) for k in ("variables", "sensors", "channels"))
    if not (names and sensors and channels):
        raise InputError(f"{path}: does not name its variables, sensors and channels; {REMEDY}")
    try:
        described(names)
    except InputError as error:
        raise InputError(f"{path}: {error}; {REMEDY}") from None
    network = _shaped(held, names, len(channels))
    if network is None:
        raise InputError(f"{path}: its tensors are missing or of another shape; {REMEDY}")
    refuse_infinite(held, path, REMEDY)
    if bool((network.table.diff(dim=1) < 0).any()):
        raise InputError(f"{path}: its tables of quantiles descend; {REMEDY}")
    return Kept(network.requires_grad_(False), sensors, channels)


def reading_of(document: Document, channels: Mapping[str, tuple[str, ...]]) -> Reading | None:
    """The network that a configuration is scored beside; None where it names none.

    Raises:
        InputError: as `read_retrieval`, or no sensor of the run has what the network reads.
    """
    path = weights_at(document, "score.network")
    if path is None:
        return None
    kept = read_retrieval(path)
    reading = Reading(kept.network, kept.sensors, kept.channels, channels)
    if not reading.places:
        raise InputError(
            f"{document.path}: score.network: {path.name} reads {', '.join(kept.channels)} of "
            f"{', '.join(kept.sensors)}, which no source gives; make one for the sensors of this "
            "run, or remove the key"
        )
    return reading


def read_beside(document: Document, channels: Mapping[str, tuple[str, ...]]) -> Reading | None:
    """`reading_of` for a hindcast, whose network stands beside field measurements.

    Raises:
        InputError: as that, or it reads none of the variables of ``score.in_situ``.
    """
    reading, tables = reading_of(document, channels), section(document, "score", score).in_situ
    measured = dict.fromkeys(str(t.get("variable")) for t in tables if isinstance(t, Mapping))
    if reading is None or measured.keys() & set(reading.network.names):
        return reading
    raise InputError(
        f"{document.path}: score.network: the network reads {', '.join(reading.network.names)} and "
        f"stands beside field measurements; score.in_situ has {', '.join(measured) or 'none'}; "
        "give a table of what it reads, or remove the key"
    )


def _names(given: Any) -> tuple[str, ...]:
    """A list of distinct names; none where something else is given."""
    texts = isinstance(given, list) and all(isinstance(n, str) for n in given)
    return tuple(given) if texts and len(set(given)) == len(given) else ()


def _shaped(held: Mapping[str, Tensor], names: tuple[str, ...], channels: int) -> Retrieval | None:
    """The network that tensors are those of, or None."""
    depth = sum(name.startswith("hidden.") for name in held) // 2
    first = held.get("hidden.0.weight")
    if first is None or first.ndim != 2 or not depth:
        return None
    network = Retrieval(channels, names, len(first), depth)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in held.items()}:
        return None
    network.load_state_dict({name: tensor.float() for name, tensor in held.items()})
    return network
