"""Blocks of a twin experiment shared out to worker processes.

Every process makes the experiment ready from its document (`releo_da.config.twin_setting`)
and is then sent ids of pixels, block by block; what a block tells comes back and is put together in
the order of the blocks. Where there are several blocks a process computes on one thread. So results
are the same to the last bit for any number of workers, and memory grows by one block and one set of
libraries per worker.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from releo_da.config.document import Document
from releo_da.config.threads import one_thread
from releo_da.config.twin_setting import Prepared, prepared
from releo_da.runs.block import Tick
from releo_da.runs.hindcast import blocks
from releo_da.runs.twin import turns
from releo_da.runs.twin_told import Told

LEAST = 2
"""Blocks per worker from which on more workers start unasked: starting one takes some seconds."""

TellAll = Callable[[int], Iterator[Told]]
"""``tell(k)``: what all blocks of a repeat tell, in their order."""

_ready: Prepared | None = None
"""That of a worker process, made when it starts."""


def workers_for(blocks_to_do: int, device: torch.device, asked: int | None) -> int:
    """How many processes work.

    Args:
        blocks_to_do: number of blocks.
        device: of the run; an accelerator is used by one process.
        asked: by the command line, or None for one per core where blocks suffice.
    """
    if device.type != "cpu":
        return 1
    wanted = min(os.cpu_count() or 1, blocks_to_do // LEAST) if asked is None else asked
    return max(1, min(wanted, blocks_to_do))


@contextmanager
def telling(
    document: Document, ready: Prepared, asked: int | None, tick: Tick
) -> Iterator[TellAll]:
    """What works on the blocks of an experiment: this process, or several.

    Args:
        document: the experiment's.
        ready: what it made.
        asked: number of processes, or None (`workers_for`).
        tick: called `turns` times per repeat.
    """
    pixels = ready.pixels
    ids = [pixels[rows] for rows in blocks(pixels)]
    number = workers_for(len(ids), ready.device, asked)
    if number == 1:
        with one_thread(len(ids) > 1 and ready.device.type == "cpu"):
            yield lambda k: (ready.repeat(k).tell(some, tick) for some in ids)
        return
    each = turns(len(ready.looks), ready.task, ids[0])
    with ProcessPoolExecutor(number, get_context("spawn"), _begin, (document,)) as pool:

        def tell(k: int) -> Iterator[Told]:
            pending = deque(pool.submit(_work, k, some.tolist()) for some in ids)
            while pending:
                told: Told = received(pending.popleft().result())
                for _ in range(each):
                    tick(f"{len(pending)} blocks left")
                yield told

        try:
            yield tell
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(document: Document) -> None:
    """Make the experiment ready in a worker."""
    global _ready
    torch.set_num_threads(1)
    _ready = prepared(document, torch.device("cpu"))


class Sent(NamedTuple):
    """A tensor on its way between two processes, by value.

    Attributes:
        array: its numbers.
    """

    array: NDArray[np.generic]


def sent(value: Any) -> Any:
    """A record with its tensors as arrays, which are copied on the way.

    Tensors themselves would be shared between the processes, which costs an open file each.
    """
    return _each(value, lambda one: Sent(one.numpy()) if isinstance(one, torch.Tensor) else one)


def received(value: Any) -> Any:
    """A record that was `sent`, as it was."""
    return _each(value, lambda one: torch.from_numpy(one.array) if isinstance(one, Sent) else one)


def _each(value: Any, changed: Callable[[Any], Any]) -> Any:
    """A record of records, lists and mappings with what they hold changed."""
    if isinstance(value, Sent):
        return changed(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_each(one, changed) for one in value))
    if type(value) in (list, tuple):
        return type(value)(_each(one, changed) for one in value)
    if type(value) is dict:
        return {key: _each(one, changed) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **{name: _each(one, changed) for name, one in held.items()})
    return changed(value)


def _work(k: int, ids: Sequence[int]) -> Told:
    """What a block tells.

    It goes through a pipe of `multiprocessing` to the process that started this one, never to or
    from a file or another machine.
    """
    assert _ready is not None
    told: Told = sent(_ready.repeat(k).tell(torch.tensor(ids)))
    return told
