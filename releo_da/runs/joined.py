"""Outputs of blocks, joined along the pixel axis and put back into its order.

Blocks come one after the other; ``place`` is the permutation that takes their concatenation back to
the pixel axis of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import Record
from releo_da.io.in_situ import InSitu
from releo_da.io.products import Product
from releo_da.runs.block import BlockResult
from releo_da.runs.compare import QUANTILES, quantiles
from releo_da.runs.field import FieldRows, samples
from releo_da.types import Acquisition, State


def statistics(members: np.ndarray) -> np.ndarray:
    """Mean, spread and quantiles over members, ``[statistic, time, pixel]``."""
    if not members.size:
        return np.empty((2 + len(QUANTILES), *members.shape[:2]), np.float32)
    stacked = []
    for one in torch.from_numpy(members):
        ordered = one.sort(1).values
        stacked.append(torch.stack([one.mean(1), one.std(1), *quantiles(ordered)]))
    return torch.stack(stacked, 1).numpy()


def joined_records(parts: list[list[Record]], place: Array) -> list[Record]:
    """Records of all blocks along the pixel axis.

    A block without a withheld value of a date has no record of it; a record with refused values
    exists in every block.
    """
    lookup = [{(r.case, r.date): r for r in part} for part in parts]
    sizes = [len(part[0].numbers) for part in parts]
    joined = []
    for case, date in dict.fromkeys((r.case, r.date) for part in parts for r in part):
        held = [table.get((case, date)) for table in lookup]
        first = next(r for r in held if r is not None)
        empty = np.full(first.numbers.shape[1:], np.nan, np.float32)
        numbers = np.concatenate(
            [
                np.broadcast_to(empty, (size, *empty.shape)) if r is None else r.numbers
                for r, size in zip(held, sizes, strict=True)
            ]
        )
        refused = [r.rejected for r in held if r is not None and r.rejected is not None]
        rejected = np.concatenate(refused)[place] if refused else None
        joined.append(Record(case, date, first.channels, numbers[place], rejected))
    return joined


def products(
    parts: list[dict[str, np.ndarray]], place: Array, described: Mapping[str, tuple[str, str]]
) -> dict[str, Product]:
    """Statistics of blocks, as `statistics` made them, as output variables by name."""
    names = [n for n in parts[0] if not n.startswith(("field ", "rows "))]
    found = {}
    for name in names:
        values = np.concatenate([part[name] for part in parts], -1)[..., place]
        unit, long_name = described[name]
        levels = dict(zip(QUANTILES, values[2:], strict=True))
        found[name] = Product(values[0], unit, long_name, values[1], levels)
    return found


def layers(parts: Sequence[Mapping[str, Array]], place: Array) -> dict[str, Array]:
    """What blocks keep beside output variables, ``{name: [..., pixel]}``, along the pixel axis."""
    return {name: np.concatenate([p[name] for p in parts], -1)[..., place] for name in parts[0]}


def joined_state(parts: list[State], place: Array) -> State:
    """The last analyses of all blocks as one state."""
    order = torch.as_tensor(place)
    ensemble = torch.cat([s.ensemble.cpu() for s in parts])[order]
    pixels = torch.cat([s.pixels.cpu() for s in parts])[order]
    memory = {
        key: torch.cat([s.memory[key].cpu() for s in parts])[order] for key in parts[0].memory
    }
    return State(parts[0].time, ensemble, pixels, memory)


def ndvi(acquisitions: Sequence[Acquisition], records: list[Record]) -> Array:
    """Observed NDVI, ``[pixel, acquisition]``, from the background records."""
    found = np.full((len(acquisitions[0].values), len(acquisitions)), np.nan)
    for record in records:
        if record.case == "background":
            found[:, record.date] = record.numbers[:, -1, 0]
    return found


def field_rows(
    table: InSitu,
    number: int,
    results: Sequence[tuple[Tensor, BlockResult]],
    ids: Array,
    nearest: Array,
) -> FieldRows:
    """The rows of a table of field measurements with what every block said of them.

    Args:
        table: rows that count.
        number: position of the table in the run; blocks keep its members under it.
        results: per block, its rows of the pixel axis and its result.
        ids: ``[pixel]`` global ids.
        nearest: ``[row]`` NDVI of the clear date nearest to each row.
    """
    estimates = {}
    for case in ("analysis", "smoothed"):
        parts = [getattr(r, case) for _, r in results]
        parts = [p for p in parts if f"rows {number}" in p]
        if parts:
            rows = np.concatenate([p[f"rows {number}"] for p in parts])
            members = np.concatenate([p[f"field {number}"] for p in parts])
            estimates[case] = members[np.argsort(rows)]
    stage = np.full(len(table.value), np.nan) if table.stage is None else table.stage
    return FieldRows(
        table.variable,
        table.row,
        ids[table.pixel_index],
        table.time,
        table.value,
        stage,
        nearest,
        samples(table.pixel_index, table.time),
        estimates,
        str(table.log[0].get("column", "")) if table.log else "",
    )
