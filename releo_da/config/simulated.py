"""Acquisitions of a twin experiment as a series, to train on seasons that are not scored."""

from __future__ import annotations

import numpy as np
import torch

from releo_da.config.document import Document
from releo_da.config.hindcast import SEED
from releo_da.config.options import Options
from releo_da.config.simulation import simulation
from releo_da.config.twin_pixels import pixels_of
from releo_da.config.twin_setting import assemblies, known_biases
from releo_da.config.twin_source import channels_of, passes, period_of, source_of
from releo_da.io.series import Series
from releo_da.runs.hindcast import blocks


def simulated(document: Document, options: Options) -> Series:
    """What satellites see of the truth of a configuration, at all of its pixels.

    Raises:
        InputError: the section ``source.twin`` is wrong.
    """
    made, device = source_of(document), options.torch_device()
    looks = passes(document, made, device)
    ours, theirs = assemblies(document, made, device)
    seed = made.seed if made.seed is not None else document.values.get("seed", SEED) + 1
    start, _ = period_of(document)
    simulate = simulation(made, theirs, looks, (start,), seed, known_biases(ours, made))
    pixels = torch.arange(int(np.prod(made.shape)))
    parts = [simulate(pixels[rows]).acquisitions for rows in blocks(pixels)]
    acquisitions = [
        same[0]._replace(
            values=torch.cat([a.values for a in same]),
            error=torch.cat([a.error for a in same]),
            angles=torch.cat([a.angles for a in same]),
        )
        for same in zip(*parts, strict=True)
    ]
    places = pixels_of(made.shape)
    return Series(acquisitions, places, [], channels_of(made))
