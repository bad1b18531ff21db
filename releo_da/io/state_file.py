"""A state on disk: the ensemble and all it needs to go on, in the safetensors format.

    ensemble [pixel, member, latent], pixels [pixel], memory.<name> [pixel, ...]
    metadata: format, time (hexadecimal, so that it comes back to the last bit), sha256

The format holds tensors and text and cannot run code. The checksum covers time, names, types,
shapes and bytes, so that a state which would resume a run wrongly is refused instead.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from releo_da.io.atomic import write_bytes_atomic
from releo_da.io.tensors import Entry, Header, ordered, tensor_header
from releo_da.types import InputError, State

FORMAT = "releo_da state 1"
MEMORY = "memory."


def write_state(path: str | Path, state: State) -> None:
    """Write a state whole or not at all; the tensors may be on any device."""
    tensors = named(state)
    time = float(state.time).hex()
    metadata = {"format": FORMAT, "time": time, "sha256": _digest(time, tensors)}
    write_bytes_atomic(path, ordered(save(tensors, metadata)))


def read_state(path: str | Path, device: str | torch.device = "cpu") -> State:
    """Read a state that `write_state` wrote.

    On the CPU its tensors are pages of the file, fetched where they are used: of a state larger
    than memory blocks can be taken one after the other.

    Raises:
        InputError: the file is missing, is no state, or is damaged.
    """
    with readable(path):
        metadata = state_header(path).metadata
        tensors = load_file(path)
        time = float.fromhex(metadata["time"])
        if not math.isfinite(time):
            raise ValueError(f"its time is {time}")
        ensemble, pixels = tensors["ensemble"], tensors["pixels"]
        if metadata["format"] != FORMAT or metadata["sha256"] != _digest(metadata["time"], tensors):
            raise unsound(path)
    memory = {
        name.removeprefix(MEMORY): tensor.to(device)
        for name, tensor in tensors.items()
        if name.startswith(MEMORY)
    }
    return State(time, ensemble.to(device), pixels.to(device), memory)


def named(state: State) -> dict[str, Tensor]:
    """The tensors of a state by their names in the file, on the CPU."""
    tensors = {"ensemble": state.ensemble, "pixels": state.pixels}
    tensors |= {MEMORY + name: tensor for name, tensor in state.memory.items()}
    # Clones, because the format refuses tensors that share memory.
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


@contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """What a file that is missing or is no state raises within, as an InputError that says so."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path}: no state can be read ({error.strerror}); start the run from its beginning"
        ) from None
    except InputError:
        raise
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise InputError(
            f"{path}: not a state file, or damaged ({error}); resume from an earlier state"
        ) from None


def unsound(path: str | Path) -> InputError:
    """The error of a state whose bytes are not those that were written."""
    return InputError(
        f"{path}: the state is damaged, its checksum does not fit; resume from an earlier state"
    )


def state_header(path: str | Path) -> Header:
    """The checked header of a state file.

    Raises:
        InputError: it is none, or damaged.
        ValueError: it is not that of a state, in words.
        OSError: it cannot be read.
    """
    header = tensor_header(path, "a state file", "resume from an earlier state")
    _check_form(header.tensors)
    return header


def titled(name: str, dtype: torch.dtype, shape: Sequence[int]) -> bytes:
    """What the checksum holds of a tensor before its bytes."""
    return f"\n{name} {dtype} {tuple(shape)}\n".encode()


def content(tensor: Tensor) -> memoryview:
    """The bytes of a contiguous tensor on the CPU, which are not copied."""
    array: NDArray[np.uint8] = tensor.view(-1).view(torch.uint8).numpy()
    return array.data


def _check_form(entries: Mapping[str, Entry]) -> None:
    """Refuse tensors that are no state: names, numbers of axes, types and lengths.

    Raises:
        ValueError: in words.
    """
    for name, axes in (("ensemble", 3), ("pixels", 1)):
        if name not in entries or len(entries[name].shape) != axes:
            raise ValueError(f"it has no '{name}' of {axes} axes")
    if not entries["ensemble"].dtype.is_floating_point or entries["pixels"].dtype != torch.int64:
        raise ValueError("its 'ensemble' is not of real or its 'pixels' not of whole numbers")
    count = entries["pixels"].shape[0]
    for name, entry in entries.items():
        if name not in ("ensemble", "pixels") and not name.startswith(MEMORY):
            raise ValueError(f"'{name[:40]}' is no part of a state")
        if not entry.shape or entry.shape[0] != count:
            raise ValueError(f"'{name[:40]}' is not of its {count} pixels")


def _digest(time: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the time and, by name, each tensor's name, type, shape and bytes."""
    total = hashlib.sha256(time.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(titled(name, tensor.dtype, tensor.shape))
        total.update(content(tensor))
    return total.hexdigest()
