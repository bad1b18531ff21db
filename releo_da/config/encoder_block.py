"""What is known of a block of simulated pixels: its series, its truth and some of its latents.

Where the truth is a draw of a forecaster, all latents are known. The discrepancy that the decoder
of the encoder has is drawn for such a series and multiplies what was seen of it. Of a land those
variables are known that mean there what they mean in the state, as far as they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from releo_da.config.encoded import bands_of
from releo_da.config.twin_setting import Prepared
from releo_da.config.twin_source import channels_of
from releo_da.learning.batches import Seen
from releo_da.representation.discrepancy import drawn, modes_at
from releo_da.representation.tokens import Bands
from releo_da.runs.acquire import Nature
from releo_da.state.layout import Layout
from releo_da.state.variables import deviations
from releo_da.types import Acquisition


@dataclass(frozen=True)
class Block:
    """A block of pixels with what is known of its truth.

    Attributes:
        seen: the series, instrument errors only.
        truth: variables of the truth by name, ``[date, pixel]`` each; empty where none is known.
    """

    seen: Seen
    truth: Mapping[str, Tensor]


@dataclass(frozen=True)
class Wanted:
    """What is wanted of every series.

    Attributes:
        layout: of the state.
        modes: of the discrepancy, behind the coordinates of the state.
        truth: variables of lands that are learned from.
        device: where tensors live.
    """

    layout: Layout
    modes: int
    truth: tuple[str, ...]
    device: torch.device


def told_of(nature: Nature, ready: Prepared, wanted: Wanted, place: Mapping[str, float]) -> Block:
    """A nature run as a block, with what is known of its latents."""
    seen, names = nature.acquisitions, wanted.layout.names
    decoded = [nature.truth.decode(nature.states[a.time]) for a in seen]
    latents = None
    if ready.made.nature is None:
        source = torch.Generator().manual_seed(ready.seed)
        times = torch.tensor([a.time for a in seen], dtype=torch.float64)
        modes = drawn(times, len(seen[0].values), wanted.modes, source).to(seen[0].values)
        seen = discrepant(seen, modes, bands_of(channels_of(ready.made)))
        known = [torch.cat([d[n] for n in names], -1) for d in decoded]
        latents = [
            torch.cat([_encoded(x, wanted.layout), modes[:, k]], -1) for k, x in enumerate(known)
        ]
    elif wanted.truth:
        latents = [_partly(d, wanted) for d in decoded]
    fields = {k: torch.full((len(seen[0].values),), v) for k, v in place.items()}
    told = [n for n in deviations() if n in decoded[0]]
    truth = {n: torch.stack([d[n][:, 0] for d in decoded]) for n in told}
    return Block(Seen(seen, latents, fields), truth)


def discrepant(seen: Sequence[Acquisition], modes: Tensor, bands: Bands) -> list[Acquisition]:
    """Acquisitions of a surface that has a discrepancy, ``modes [pixel, date, mode]``."""
    found = []
    for k, a in enumerate(seen):
        centres = torch.tensor(bands[a.sensor][0], dtype=torch.float64)
        factor = 1.0 + modes[:, k] @ modes_at(centres, modes.shape[-1]).to(modes)
        found.append(a._replace(values=a.values * factor.clamp_min(0.0)))
    return found


def _encoded(values: Tensor, layout: Layout) -> Tensor:
    """Coordinates of physical values, float32."""
    return layout.anamorphosis.encode(values.double()).float()


def _partly(decoded: Mapping[str, Tensor], wanted: Wanted) -> Tensor:
    """Coordinates of the variables that are learned from, NaN of the others and of the modes."""
    names = wanted.layout.names
    values = torch.cat([decoded[n] if n in wanted.truth else decoded["lai"] for n in names], -1)
    learned = torch.tensor([n in wanted.truth for n in names], device=values.device)
    found = torch.where(learned, _encoded(values, wanted.layout), torch.nan)
    return torch.nn.functional.pad(found, (0, wanted.modes), value=torch.nan)
