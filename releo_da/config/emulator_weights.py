"""The emulator on file: its weights, what they were made from, and how wrong they are.

A safetensors file. Matrices and spectra are kept in half precision (the error that is kept beside
them was measured after the rounding), the rest in single. The metadata say what made them and for
which ranges; a file for narrower ranges than those of the state, or from another definition of the
features, is refused. `PACKAGED` comes with the package and is what `observe: {name: emulator}`
uses; `releo-da train` on ``experiments/emulator/config.yaml`` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from releo_da.io.atomic import replacing
from releo_da.io.tensors import read_tensors
from releo_da.observation.draws import limits
from releo_da.observation.emulator import Emulator
from releo_da.observation.features import FEATURES, FORM
from releo_da.strict_json import parse
from releo_da.types import InputError

KEY = "emulator"
"""Entry of the metadata, a JSON object."""
PACKAGED = "prosail.safetensors"
REMEDY = "make one with `releo-da train` on experiments/emulator/config.yaml"


def write_emulator(path: Path, emulator: Emulator, made: Mapping[str, Any]) -> None:
    """Write an emulator, whole or not at all.

    Args:
        path: of the file.
        emulator: its matrices and spectra as half precision keeps them (`rounded`).
        made: what made it and how wrong it is, as the metadata say.
    """
    told = {"form": FORM, "ranges": limits(), **made}
    tensors = {
        name: (t.half() if is_half(name) else t).cpu().contiguous()
        for name, t in emulator.state_dict().items()
    }
    with replacing(path) as temporary:
        # One entry, since several would come in any order and the file would not be reproducible.
        save_file(tensors, str(temporary), metadata={KEY: json.dumps(told, default=str)})


def is_half(name: str) -> bool:
    """Whether a tensor is kept in half precision: matrices and spectra are, small ones are not."""
    return name.endswith(".weight") or name in ("basis", "mean")


def packaged() -> Emulator:
    """The emulator that comes with the package."""
    with as_file(files("releo_da.observation") / "weights" / PACKAGED) as path:
        return read_emulator(path)


def read_emulator(path: Path) -> Emulator:
    """Read an emulator.

    Raises:
        InputError: the file is missing, no emulator, damaged, or made for other features or
            narrower ranges than this version's.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of an emulator; {REMEDY}")
    metadata, kept = read_tensors(path, "a file of an emulator", REMEDY)
    held = {name: tensor.float() for name, tensor in kept.items()}
    told = parse(metadata.get(KEY, "{}"), f"{path}: metadata '{KEY}'", REMEDY)
    fault = _fault(told, held)
    if fault:
        raise InputError(f"{path}: {fault}; {REMEDY}")
    depth = sum(name.startswith("hidden.") for name in held) // 2
    emulator = Emulator(len(held["deep.weight"][0]), depth, len(held["basis"]))
    wanted = {name: tensor.shape for name, tensor in emulator.state_dict().items()}
    wrong = [name for name in wanted | held if name not in wanted or name not in held]
    wrong = wrong or [name for name in wanted if held[name].shape != wanted[name]]
    wrong = wrong or [name for name in wanted if not held[name].isfinite().all()]
    if wrong:
        raise InputError(
            f"{path}: {', '.join(wrong)} missing, of another shape or not finite; {REMEDY}"
        )
    emulator.load_state_dict(held)
    return emulator.requires_grad_(False)


def _fault(told: Any, held: Mapping[str, torch.Tensor]) -> str | None:
    """Why a file is no emulator of this version, in words, or None."""
    tables = all(n in held and held[n].ndim == 2 for n in ("deep.weight", "basis"))
    if not isinstance(told, dict) or not told or not tables or "centre" not in held:
        return "is no file of an emulator"
    if told.get("form") != FORM or held["centre"].shape != (FEATURES,):
        return f"was made for other features (form {told.get('form')}, this version has {FORM})"
    ranges = told.get("ranges")
    for name, (lower, upper) in limits().items():
        given = _range(ranges.get(name) if isinstance(ranges, dict) else None)
        if given is None:
            return f"does not say for which {name} it was made"
        least, most = given
        if least > lower or most < upper:
            return (
                f"was made for {name} from {least:g} to {most:g}, not from {lower:g} to {upper:g}"
            )
    return None


def _range(given: Any) -> tuple[float, float] | None:
    """Two numbers, or None where something else is given."""
    if not isinstance(given, list) or len(given) != 2:
        return None
    return (given[0], given[1]) if all(isinstance(n, int | float) for n in given) else None
