"""What a network says of single acquisitions: beside field measurements, beside a truth.

The rival of an assimilation that reads dates one by one (`releo_da.representation.retrieval`). It
stands under `CASE` beside the analysis and the smoothed run: in the rows of field measurements,
from the acquisition nearest to each, and in those of a twin at every pixel that was seen
(`releo_da.runs.twin_block`). Only acquisitions of the network's sensors with all of its channels
count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from releo_da.diagnostics.scores import Array
from releo_da.representation.retrieval import Retrieval, looked_at
from releo_da.runs.field import FieldRows
from releo_da.types import Acquisition

CASE = "network"
"""The name of its rows."""

MEMBERS = 64
"""Quantiles of what it says of a variable."""


class Reading:
    """A network, and where its channels stand in the acquisitions of a run.

    Args:
        network: with its weights.
        sensors: whose acquisitions it reads.
        names: of the channels that it reads.
        channels: for each sensor of the run, the channels of its acquisitions.
    """

    def __init__(
        self,
        network: Retrieval,
        sensors: Sequence[str],
        names: Sequence[str],
        channels: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.network = network
        self.places = {
            sensor: [held.index(name) for name in names]
            for sensor, held in channels.items()
            if sensor in sensors and set(names) <= set(held)
        }

    def complete(self, acquisition: Acquisition) -> Tensor:
        """The pixels of which every channel that it reads was seen, ``[pixel]`` bool."""
        places = self.places.get(acquisition.sensor)
        if places is None:
            return torch.zeros(len(acquisition.values), dtype=torch.bool)
        return acquisition.seen[:, places].all(1).cpu()

    def members(self, acquisition: Acquisition, rows: Tensor, number: int = MEMBERS) -> Tensor:
        """What it says of some complete pixels, ``[row, member, variable]``.

        Args:
            acquisition: of one of its sensors.
            rows: ``[row]`` positions of the pixels.
            number: of members.
        """
        places = self.places[acquisition.sensor]
        values = acquisition.values[rows][:, places]
        inputs = looked_at(values, acquisition.angles[rows]).cpu().float()
        with torch.no_grad():
            return self.network.members(inputs, number)


def silent(field: Sequence[FieldRows], reading: Reading) -> list[str]:
    """Why a network stands beside some tables of `beside` and not others, a sentence each."""
    found = []
    for table in field:
        if CASE in table.estimates:
            continue
        why = "a pixel of theirs was never seen in all channels that it reads"
        if table.variable not in reading.network.names:
            why = f"it reads {', '.join(reading.network.names)}"
        found.append(
            f"the network of score.network is left out beside field measurements of "
            f"{table.variable}: {why}"
        )
    return found


def beside(
    field: Sequence[FieldRows], acquisitions: Sequence[Acquisition], ids: Array, reading: Reading
) -> list[FieldRows]:
    """The rows of field measurements with what the network says of them.

    Args:
        field: tables of the run; those of variables that the network does not know stay as they
            are, and so does one with a row whose pixel was never seen completely.
        acquisitions: of the run.
        ids: ``[pixel]`` global ids.
        reading: the network.
    """
    complete = np.stack([reading.complete(a).numpy() for a in acquisitions], 1)
    times = np.array([a.time for a in acquisitions])
    place = {int(pixel): row for row, pixel in enumerate(ids)}
    found = []
    for table in field:
        pixels = np.array([place[int(pixel)] for pixel in table.pixel], int)
        if table.variable not in reading.network.names or not complete[pixels].any(1).all():
            found.append(table)
            continue
        apart = np.where(complete[pixels], np.abs(times - table.time[:, None]), np.inf)
        nearest, column = apart.argmin(1), reading.network.names.index(table.variable)
        said = np.empty((len(pixels), MEMBERS))
        for date in np.unique(nearest):
            rows = np.flatnonzero(nearest == date)
            told = reading.members(acquisitions[date], torch.as_tensor(pixels[rows]))
            said[rows] = told[..., column].double().numpy()
        found.append(table._replace(estimates={**table.estimates, CASE: said}))
    return found
