"""Random numbers that depend on the seed, the pixel, the time and the stage, and nothing else.

The unit of randomness is a block of 256 pixel ids. Each (seed, block, time, stage) has a generator
of its own, which draws for the whole block; a run takes the rows of the pixels it holds. So there
is no generator state to save, a restart needs none, and results depend neither on how pixels are
chunked nor on which others run beside them. Numbers are drawn on the CPU in float32 and moved, so
that a run draws the same on every device.

The unit of work is another. A land mask may leave a few pixels of each block, and a tensor of one
pixel takes about as long as one of 256: neighbouring blocks of few pixels are worked on together
(`pieces`), each with the numbers of its own generator.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from releo_da.types import Noise

Draws = Callable[[float, str], Noise]
"""``draws(time, stage)`` gives the source of standard-normal numbers of one stage of one cycle."""

Mix = Callable[[int, str, Tensor], Tensor]
"""``mix(block, stage, drawn)`` turns the numbers of a whole block, ``[256, ...]``, into others."""

BLOCK = 256
"""Pixels per block of randomness, and at most in a piece of work."""


def pieces(ids: Tensor) -> Tensor:
    """Where pieces of work end: whole blocks, as many as hold `BLOCK` of the pixels at most.

    Pieces follow from the ids alone: a run over the pixels between two ends finds the same ones
    there as a run over all.

    Args:
        ids: ``[pixel]`` global ids, in any order.

    Returns:
        ``[piece]``, for each the first id beyond it, ascending; none is without a pixel.
    """
    blocks, counts = torch.unique(ids.cpu() // BLOCK, return_counts=True)
    total = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    done, last = 0, []
    while done < len(blocks):
        fitting = int(torch.searchsorted(total, total[done] + BLOCK, right=True)) - 1
        done = max(fitting, done + 1)
        last.append(done - 1)
    return (blocks[last] + 1) * BLOCK


def generator(seed: int, block: int, time: float, stage: str) -> torch.Generator:
    """The generator of one stage of one cycle of one block."""
    key = struct.pack("<qqd", seed, block, time) + stage.encode()
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def block_draws(seed: int, pixels: Tensor, like: Tensor, mix: Mix | None = None) -> Draws:
    """Draws for a run over the given pixel ids.

    Args:
        seed: seed of the run.
        pixels: ``[pixel]`` global ids.
        like: a tensor whose dtype and device the numbers take.
        mix: what is done with the numbers of a block (`releo_da.cycling.fields`); nothing unless
            given.

    Returns:
        ``draws(time, stage)``, whose ``noise(shape)`` needs ``shape[0]`` to be the number of
        pixels.
    """
    ids = pixels.cpu()
    blocks = ids // BLOCK
    members = [(int(b), (blocks == b).nonzero()[:, 0]) for b in torch.unique(blocks)]

    def draws(time: float, stage: str) -> Noise:
        sources = {block: generator(seed, block, time, stage) for block, _ in members}

        def noise(shape: Sequence[int]) -> Tensor:
            if shape[0] != len(ids):
                raise ValueError(f"noise is drawn for {len(ids)} pixels, not for {shape[0]}")
            out = torch.empty(tuple(shape), dtype=torch.float32)
            for block, rows in members:
                drawn = torch.randn((BLOCK, *shape[1:]), generator=sources[block])
                if mix is not None:
                    drawn = mix(block, stage, drawn)
                out[rows] = drawn[ids[rows] % BLOCK]
            return out.to(like)

        return noise

    return draws
