"""Random numbers that depend on the seed, the pixel, the time and the stage, and nothing else.

The unit of randomness is a block of 256 pixel ids. Each (seed, block, time, stage) has a generator
of its own, which draws for the whole block; a run takes the rows of the pixels it holds. So there
is no generator state to save, a restart needs none, and results depend neither on how pixels are
chunked nor on which others run beside them. Numbers are drawn on the CPU in float32 and moved, so
that a run draws the same on every device.
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
"""Pixels per block of randomness."""


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
