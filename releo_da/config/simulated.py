"""Acquisitions of a twin experiment as a series, to train on seasons that are not scored.

The land, its clouds and its instruments are those of the configuration under another seed, and the
weather is that of years for tuning: nothing that a run with the same configuration is scored on
takes part in a fit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from releo_da.config.document import Document
from releo_da.config.natures import tuned
from releo_da.config.options import Options
from releo_da.config.twin_pixels import pixels_of
from releo_da.config.twin_setting import Prepared, prepared
from releo_da.config.twin_source import channels_of
from releo_da.io.series import Series
from releo_da.runs.hindcast import blocks

TRAINING = 0x7261696E
"""Tells the seeds of training from those of scored runs."""


def simulated(document: Document, options: Options) -> Series:
    """What satellites see of the truth that a configuration is trained on, at all of its pixels.

    Raises:
        InputError: the section ``source.twin`` is wrong, or asks for years of weather that are set
            apart for tests.
    """
    ready = training(prepared(document, options.torch_device()))
    pixels = ready.pixels
    parts = [ready.simulate(pixels[rows]).acquisitions for rows in blocks(pixels)]
    acquisitions = [
        same[0]._replace(
            values=torch.cat([a.values for a in same]),
            error=torch.cat([a.error for a in same]),
            angles=torch.cat([a.angles for a in same]),
        )
        for same in zip(*parts, strict=True)
    ]
    return Series(acquisitions, pixels_of(ready.made.shape), [], channels_of(ready.made))


def training(ready: Prepared) -> Prepared:
    """The twin experiment with the land, clouds and instruments of training.

    Raises:
        InputError: the land asks for test years.
    """
    made = ready.made
    if made.nature is not None:
        made = replace(made, nature=tuned(made.nature, "source.twin.nature"))
    mixed = np.random.SeedSequence((ready.seed, TRAINING)).generate_state(1)
    return replace(ready, made=made, seed=int(mixed[0]), past=None)
