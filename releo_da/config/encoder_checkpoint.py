"""The checkpoint of a training in its run directory: one safetensors file, whole or not at all.

Tensors are those of `releo_da.learning.checkpoints`; the step, the looks and a digest of the
configuration are JSON in the metadata of the same file, so that both change in one rename. A
training goes on from it only with the configuration that it began with.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from releo_da.config.document import Document
from releo_da.io.atomic import replacing
from releo_da.io.tensors import read_tensors, refuse_infinite
from releo_da.learning.checkpoints import checkpoint, restore
from releo_da.learning.pretraining import Training
from releo_da.strict_json import parse
from releo_da.types import InputError

CHECKPOINT = "checkpoint.safetensors"
KEY = "training"
"""Entry of the metadata, a JSON object."""

REMEDY = "delete it to begin anew, or train into another directory"
SCORED = ("test",)
"""Keys of ``train`` that say what is scored at the end, and not what is learned."""


def digest_of(document: Document) -> str:
    """SHA-256 of all that the steps of a training depend on."""
    values = dict(document.values)
    values["train"] = {k: v for k, v in values["train"].items() if k not in SCORED}
    return sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def write_checkpoint(root: Path, training: Training, document: Document) -> None:
    """Write where a training stands."""
    tensors, told = checkpoint(training)
    held = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {KEY: json.dumps({**told, "configuration": digest_of(document)})}
    with replacing(root / CHECKPOINT) as temporary:
        save_file(held, str(temporary), metadata=metadata)


def resume(root: Path, training: Training, document: Document) -> bool:
    """Put a training where its checkpoint left it; says whether there was one.

    Raises:
        InputError: the checkpoint is damaged, or of another configuration.
    """
    path = root / CHECKPOINT
    if not path.is_file():
        return False
    metadata, tensors = read_tensors(path, "a checkpoint", REMEDY)
    told: Any = parse(metadata.get(KEY, "{}"), f"{path}: metadata '{KEY}'", REMEDY)
    if not isinstance(told, dict) or told.get("configuration") != digest_of(document):
        raise InputError(
            f"{path}: is the checkpoint of another configuration than {document.path}; {REMEDY}"
        )
    refuse_infinite(tensors, path, REMEDY)
    try:
        restore(training, tensors, told)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return True
