"""What satellites saw of a twin before its period, for an encoder that tells the first ensemble.

The truth begins so many days earlier, and the same satellites pass through the same clouds. What
they see before the period goes to the encoder (`releo_da.config.initial`) and nowhere else: nothing
of it is assimilated or scored. A land is a function of time and the same with and without; a truth
that a forecaster draws begins earlier and is another draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from releo_da.config.assemble import Assembly
from releo_da.config.document import Document
from releo_da.config.encoded import bands_of
from releo_da.config.encoder_error import as_trained
from releo_da.config.encoder_range import outside
from releo_da.config.encoder_weights import Kept
from releo_da.config.initial import WHERE, before, beginning, encoder_for, wanted_of
from releo_da.config.twin_passes import passes
from releo_da.config.twin_source import Twin
from releo_da.representation.initial import start_of
from releo_da.representation.statics import statics_of
from releo_da.representation.tokens import tokens_of
from releo_da.runs.acquire import Nature
from releo_da.runs.model import Model
from releo_da.types import Acquisition, InputError


@dataclass(frozen=True)
class Past:
    """The passes before a period, and the encoder that is told what they saw.

    Attributes:
        kept: the encoder.
        passes: in time order.
        place: longitude and latitude (degrees).
        start: first day of the period (days).
    """

    kept: Kept
    passes: list[Acquisition]
    place: tuple[float, float]
    start: float

    def begun(
        self, assembly: Assembly, seen: list[Acquisition], pixels: Tensor
    ) -> Callable[[Model], Model]:
        """What gives a model the ensembles of some pixels of which this was seen before."""
        channels = assembly.model.channels
        complete = as_trained(self.kept, assembly.error, channels)
        tokens = tokens_of([complete(a) for a in seen], bands_of(channels))
        longitude, latitude = (torch.full((len(pixels),), degrees) for degrees in self.place)
        fields = {"longitude": longitude, "latitude": latitude}
        known = statics_of(len(pixels), fields, tokens.value)
        encoder = self.kept.encoder.to(tokens.value.device)
        return beginning(assembly, start_of(encoder, tokens, pixels, self.start, known))


def past_of(
    document: Document, made: Twin, assembly: Assembly, start: float, device: torch.device
) -> tuple[Past | None, list[dict[str, Any]]]:
    """The past of a twin experiment, None without one, and records for its log.

    Raises:
        InputError: an unknown option, or an encoder that cannot be used.
    """
    wanted = wanted_of(document)
    earlier = None if wanted is None else before(document, wanted)
    if wanted is None or earlier is None:
        return None, []
    kept = encoder_for(document, wanted, assembly)
    try:
        looks = [a for a in passes(earlier, made, device) if start - wanted.days <= a.time < start]
    except InputError as error:  # the period itself has passes: these days alone have none
        return None, [{"kind": "no_past", "message": f"{WHERE}: {error}"}]
    if not looks:
        return None, [{"kind": "no_past", "message": f"{WHERE}: no pass in {wanted.days:g} days"}]
    told = {"encoder": kept.name, "encoder_sha256": kept.digest}
    said = {"kind": "past", "days": wanted.days, "acquisitions": len(looks), **told}
    north = np.full(1, made.place[1])
    unmet = outside(kept, [a.time for a in looks], north)
    return Past(kept, looks, made.place, start), [said, *unmet]


def split(nature: Nature, start: float) -> tuple[list[Acquisition], Nature]:
    """What was seen before a time, and the truth with what was seen from then on."""
    earlier = sum(a.time < start for a in nature.acquisitions)
    rest = nature._replace(acquisitions=nature.acquisitions[earlier:], exact=nature.exact[earlier:])
    return nature.acquisitions[:earlier], rest
