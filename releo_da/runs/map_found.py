"""What the blocks of a map say, gathered while they come, and the outcome over a sample of it.

Comparisons of all pixels go into sums; those of the sample's pixels into tables. Of a block
with field measurements their members are kept until the end, when all tables are made at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import Record, Tables
from releo_da.io.in_situ import InSitu
from releo_da.io.strips import Stream
from releo_da.runs.block import BlockResult, Task
from releo_da.runs.field import FieldRows, nearest_index
from releo_da.runs.hindcast import Outcome
from releo_da.runs.joined import field_rows
from releo_da.runs.judged import Judged, joined_judged
from releo_da.runs.model import Model
from releo_da.runs.sums import Sums, of_rows
from releo_da.runs.withhold import Held
from releo_da.state.bias import bias_rows
from releo_da.types import State


@dataclass
class Found:
    """What the blocks of a map said so far.

    Attributes:
        sample: ``[pixel]`` ids whose records are kept.
        index: observed NDVI at field measurements, ``[row, date]`` of each table.
        sums: comparisons of all pixels.
        tables: those of the sample.
        last: ``[pixel, member, latent]`` the last analyses of the sample, of each block that has
            some of it.
        measured: what is kept of each block with field measurements.
        judged: what each analysis said of its innovations.
        refused: values that screening refused, by channel.
        diverged: number of pixels whose ensemble stopped being finite.
    """

    sample: Array
    index: list[Array]
    tables: Tables
    sums: Sums = field(default_factory=Sums)
    last: list[Tensor] = field(default_factory=list)
    measured: list[tuple[Tensor, BlockResult]] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    diverged: int = 0

    def add(self, result: BlockResult, rows: Tensor, ids: Array, tables: Sequence[InSitu]) -> None:
        """Take a block: its rows of a part, their ids, and the tables placed on that part."""
        self.sums.add(result.records)
        _observed_index(self.index, tables, rows.numpy(), result.records)
        kept = np.isin(ids, self.sample)
        if kept.any():
            place = np.searchsorted(self.sample, ids[kept])
            self.tables.add([of_rows(record, kept) for record in result.records], place)
            self.last.append(result.state.ensemble.cpu()[torch.from_numpy(kept)])
        self.judged = joined_judged([self.judged, result.judged]) if self.judged else result.judged
        self.refused += result.refused
        self.diverged += result.diverged
        if any(name.startswith("field ") for name in result.analysis):
            self.measured.append((rows, _light(result)))


def of_sample(
    found: Found,
    model: Model,
    stream: Stream,
    task: Task,
    product_times: Sequence[float],
    fields: Sequence[InSitu],
    held: dict[str, Held],
) -> Outcome:
    """The outcome over the sample of a map (`releo_da.runs.maps.MapOutcome`).

    Args:
        found: what all blocks said.
        model: the joined system.
        stream: the map.
        task: members, seed, horizons.
        product_times: times of the output variables (days).
        fields: the tables that blocks were given, with positions among all pixels.
        held: what is withheld of the sample.
    """
    acquisitions = stream.sample.acquisitions
    times, sensors = np.array([a.time for a in acquisitions]), [a.sensor for a in acquisitions]
    ids = stream.pixels["id"].values
    return Outcome(
        found.tables.dataset(times, sensors, found.sample, task.members),
        {},
        {},
        estimate(task),
        np.array(sorted(set(product_times))),
        [
            _field(table, k, found.measured, ids, found.index[k], times, stream)
            for k, table in enumerate(fields)
        ],
        State(times[-1], torch.empty(0), torch.empty(0, dtype=torch.int64)),
        held,
        found.diverged,
        dict(found.refused),
        found.judged,
        {} if model.biases is None else bias_rows(model.biases, torch.cat(found.last)),
    )


def estimate(task: Task) -> str:
    """What the output variables are: "smoothed", or "analysis" without a smoother."""
    return "smoothed" if task.smooth else "analysis"


def _light(result: BlockResult) -> BlockResult:
    """What is kept of a block with field measurements until the end: their members."""

    def of_field(held: Mapping[str, Array]) -> dict[str, Array]:
        return {n: v for n, v in held.items() if n.startswith(("field ", "rows "))}

    empty = State(result.state.time, torch.empty(0), torch.empty(0, dtype=torch.int64))
    return replace(
        result,
        state=empty,
        records=[],
        judged=[],
        seasons={},
        analysis=of_field(result.analysis),
        smoothed=of_field(result.smoothed),
    )


def _observed_index(
    index: Sequence[Array], tables: Sequence[InSitu], rows: Array, records: Sequence[Record]
) -> None:
    """Observed NDVI at the pixels of field measurements, from a block's background records."""
    for found, table in zip(index, tables, strict=True):
        here = np.flatnonzero(np.isin(table.pixel_index, rows))
        place = np.searchsorted(rows, table.pixel_index[here])
        for record in records if here.size else ():
            if record.case == "background":
                found[here, record.date] = record.numbers[place, -1, 0]


def _field(
    table: InSitu,
    number: int,
    results: Sequence[tuple[Tensor, BlockResult]],
    ids: Array,
    index: Array,
    times: Array,
    stream: Stream,
) -> FieldRows:
    """The rows of a table with what every block said of them."""
    alone = table._replace(pixel_index=np.arange(len(table.time)))
    nearest = nearest_index(alone, times, stream.seen(table.pixel_index), index)
    return field_rows(table, number, results, ids, nearest)
