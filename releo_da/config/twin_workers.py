"""Blocks of a twin experiment shared out to worker processes.

Every process makes the experiment ready from its document (`releo_da.config.twin_setting`)
and is then sent ids of pixels, block by block; what a block tells comes back and is put together in
the order of the blocks. Where there are several blocks a process computes on one thread. So results
are the same to the last bit for any number of workers, and memory grows by one block and one set of
libraries per worker.
"""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import torch

from releo_da.config.document import Document
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
        with _one_thread(len(ids) > 1 and ready.device.type == "cpu"):
            yield lambda k: (ready.repeat(k).tell(some, tick) for some in ids)
        return
    each = turns(len(ready.looks), ready.task, ids[0])
    with ProcessPoolExecutor(number, get_context("spawn"), _begin, (document,)) as pool:

        def tell(k: int) -> Iterator[Told]:
            pending = deque(pool.submit(_work, k, some.tolist()) for some in ids)
            while pending:
                told: Told = pickle.loads(pending.popleft().result())
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


def _work(k: int, ids: Sequence[int]) -> bytes:
    """What a block tells, by value: tensors that a process shares would cost it a file each.

    The bytes go from a process of this run to its parent and never to or from a file.
    """
    assert _ready is not None
    return pickle.dumps(_ready.repeat(k).tell(torch.tensor(ids)))


@contextmanager
def _one_thread(wanted: bool) -> Iterator[None]:
    """Sums of a tensor that several threads share may round in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if wanted else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
