"""The checkpoint of a training in its run directory: one safetensors file, whole or not at all.

Tensors are those of `releo_da.learning.checkpoints`; numbers and a digest of what the training
depends on are JSON in the metadata of the same file, so that both change in one rename. A training
goes on from it only with the configuration that it began with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from releo_da.config.document import Document
from releo_da.io.atomic import replacing
from releo_da.io.tensors import read_tensors, refuse_infinite
from releo_da.strict_json import parse
from releo_da.types import InputError

CHECKPOINT = "checkpoint.safetensors"
KEY = "training"
"""Entry of the metadata, a JSON object."""

REMEDY = "delete it to begin anew, or train into another directory"
SCORED = ("test",)
"""Keys of ``train`` that say what is scored at the end, and not what is learned."""


def digest_of(document: Document) -> str:
    """SHA-256 of all of a configuration that the steps of a training depend on."""
    values = dict(document.values)
    told = values.get("train") or {}
    values["train"] = {key: value for key, value in told.items() if key not in SCORED}
    return sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of a training.

    Attributes:
        root: the run directory.
        document: the configuration.
    """

    root: Path
    document: Document

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.root / CHECKPOINT

    def write(self, tensors: Mapping[str, Tensor], told: Mapping[str, Any]) -> None:
        """Write where a training stands."""
        held = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        metadata = {KEY: json.dumps({**told, "configuration": digest_of(self.document)})}
        with replacing(self.path) as temporary:
            save_file(held, str(temporary), metadata=metadata)

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What was written; None where nothing was.

        Raises:
            InputError: the file is damaged, or of another configuration.
        """
        if not self.path.is_file():
            return None
        metadata, tensors = read_tensors(self.path, "a checkpoint", REMEDY)
        told: Any = parse(metadata.get(KEY, "{}"), f"{self.path}: metadata '{KEY}'", REMEDY)
        if not isinstance(told, dict) or told.get("configuration") != digest_of(self.document):
            raise InputError(
                f"{self.path}: is the checkpoint of another configuration than "
                f"{self.document.path}; {REMEDY}"
            )
        refuse_infinite(tensors, self.path, REMEDY)
        return tensors, told
