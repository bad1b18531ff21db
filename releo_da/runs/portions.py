"""How many rows of a block are worked on at once, so that a long run needs no more memory.

A smoother goes back over the steps of a run, and forecasts and output variables are made of them,
so the steps of the rows at hand are held until the last one is done. In bytes, of float32 numbers,

    4 K T R N L

with T steps (passes and requested dates), R rows, N members, L latents, and K = 4 ensembles per
step: background, analysis, smoothed, and what was predicted and derived of them. R is chosen such
that this stays within `MEMORY`, at most the block and at least `LEAST` rows. The random numbers of
a pixel follow from its block and its place in it (`releo_da.cycling.draws`), so its estimates do
not depend on R, to the last bit where N is a multiple of 32. Sums over pixels are added portion by
portion. R follows from the configuration alone, so results are the same for any number of workers
and any amount of free memory.

Small portions cost time: each draws the numbers of the whole block, and tensors of few rows take
nearly as long as those of many. Four portions of 64 rows take a quarter longer than one of 256.

A scheme that gathers neighbours needs all pixels of its block at once: there R is the block.
"""

from __future__ import annotations

from torch import Tensor

from releo_da.cycling.draws import BLOCK

MEMORY = 2**27
"""Bytes that the steps of the rows at hand take, about."""

LEAST = 8
"""Rows of the smallest portion; the others are multiples of it."""

ENSEMBLES, BYTES = 4, 4
"""Ensembles per step, and bytes of a number."""


def rows_at_once(steps: int, members: int, latents: int) -> int:
    """Rows of a block whose steps fit into `MEMORY`: `BLOCK`, or a multiple of `LEAST` below it.

    Args:
        steps: passes and requested dates of the run.
        members: size of the ensemble.
        latents: length of its last axis.
    """
    fitting = MEMORY // max(1, ENSEMBLES * BYTES * steps * members * latents)
    return min(max(fitting - fitting % LEAST, LEAST), BLOCK)


def portions(rows: Tensor, most: int) -> tuple[Tensor, ...]:
    """Rows in portions of about the same size, in their order.

    Args:
        rows: ``[row]`` of one piece of work.
        most: rows of a portion, at least 1.
    """
    number = -(-len(rows) // most)
    size = -(-len(rows) // number)
    return rows.split(min(size + -size % LEAST, most))
