"""What the training of an encoder is made of, and its batches: a function of the step alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from releo_da.config.assemble import STATES, knots_of
from releo_da.config.document import Document, nearest
from releo_da.config.encoded import bands_of
from releo_da.config.encoder_block import Block, Wanted
from releo_da.config.encoder_section import Encoding, entries_of
from releo_da.config.encoder_series import Stream, streams_of, together
from releo_da.config.margins import margins_of
from releo_da.config.observing import observation_of
from releo_da.cycling.draws import generator
from releo_da.learning.batches import Seen, cut
from releo_da.learning.margins import Margin
from releo_da.learning.prediction import Batch
from releo_da.observation.error import ObservationError
from releo_da.observation.prosail import ProsailOperator
from releo_da.representation.discrepancy import Discrepancy
from releo_da.representation.statics import statics_of
from releo_da.representation.tokens import Bands, no_tokens, tokens_of
from releo_da.state.layout import Layout
from releo_da.types import Acquisition, InputError, ObservationOperator


@dataclass(frozen=True)
class Setting:
    """What a training is made of, joined.

    Attributes:
        layout: of the state: positions only.
        streams: what is trained on.
        tests: what is scored beside.
        channels: for each sensor, its channels.
        operator: the observation operator of positions, with the discrepancy where modes of it
            stand behind them.
        error: completes the error of an acquisition.
        bands: for each sensor, centres and widths of its channels.
        margins: densities of hidden values that count beside the joint one.
    """

    layout: Layout
    streams: list[Stream]
    tests: list[Stream]
    channels: dict[str, tuple[str, ...]]
    operator: ObservationOperator
    error: ObservationError
    bands: Bands
    margins: Sequence[Margin]

    def complete(self, block: Block) -> Seen:
        """A block with the full R."""
        seen = block.seen
        with torch.no_grad():
            return seen._replace(acquisitions=[self.error(a) for a in seen.acquisitions])

    def tokens(self, acquisitions: Sequence[Acquisition]) -> Any:
        """Acquisitions as the encoder takes them; those that no pixel saw are left out."""
        seen = [a for a in acquisitions if bool(a.seen.any())]
        if not seen:
            return no_tokens(len(acquisitions[0].values), acquisitions[0].values)
        return tokens_of(seen, self.bands)


def setting_of(document: Document, how: Encoding, device: torch.device) -> Setting:
    """What a configuration asks for, opened and joined.

    Raises:
        InputError: something in the document is wrong.
    """
    names, fixed, priors = STATES.build(document.values.get("state", "prosail"), "state")
    if priors:
        raise InputError(
            f"{document.path}: state.priors: an encoder is made for the priors of the table; "
            "remove them"
        )
    for name in how.truth:
        if name not in names:
            raise InputError(f"train.truth: '{name}' is not estimated; {nearest(name, names)}")
    layout = Layout(names, fixed, velocities=False)
    wanted = Wanted(layout, how.sizes["modes"], how.truth, device)
    streams = streams_of(document, entries_of(document, how), "series", wanted)
    tests = streams_of(document, how.test, "test", wanted)
    channels = together([*streams, *tests], document.path)
    observation = observation_of(document)
    bands = observation.bands(channels, (*names, *fixed), device)
    exact = ProsailOperator(layout.decode, layout.residual, channels, bands=bands)
    waves = bands_of(channels)
    operator = Discrepancy(exact, waves, len(names))
    error = ObservationError(
        channels, knots_of(channels), bands.error, observation.representativeness, bands.zeniths
    )
    error = error.to(device).requires_grad_(False)
    margins = margins_of(how.margins, channels)
    return Setting(layout, streams, tests, channels, operator, error, waves, margins)


def batches(setting: Setting, how: Encoding, seed: int) -> Callable[[int], Batch]:
    """The batch of a step: sources in turn, each with a new block every ``reuse`` of its steps."""
    held: dict[str, tuple[int, Seen]] = {}
    count = len(setting.streams)

    def batch(step: int) -> Batch:
        stream, turn = setting.streams[step % count], step // count
        number = turn // how.reuse
        if held.get(stream.name, (-1,))[0] != number:
            held[stream.name] = number, setting.complete(stream.training(number))
        return one_batch(setting, how, held[stream.name][1], generator(seed, step, 0.0, "batch"))

    return batch


def one_batch(setting: Setting, how: Encoding, series: Seen, source: torch.Generator) -> Batch:
    """A batch of a series."""
    centres = {sensor: of[0] for sensor, of in setting.bands.items()}
    return cut(series, how.cut, how.hiding, setting.tokens, source, statics_of, centres)


def looked_at(
    setting: Setting, how: Encoding, blocks: Mapping[str, Seen], seed: int
) -> list[Batch]:
    """The batches that are looked at: the same at every look."""
    return [
        one_batch(setting, how, series, generator(seed, k, 0.0, f"validation {name}"))
        for name, series in blocks.items()
        for k in range(how.validation)
    ]
