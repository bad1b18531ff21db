"""A hindcast of a map that does not fit into memory: the one loop over blocks, outputs by block.

Parts of the map come one after the other (`releo_da.io.strips`); what a block leaves behind goes
four ways at once:

    output variables     to the file, row after row
    comparisons          into sums over all pixels (`releo_da.diagnostics.streaming`)
    comparisons          of the sample's pixels, kept as records for figures and baselines
    the last state       to the file, row after row

so that memory holds one part of the map, whatever its size. The numbers are those of
`releo_da.runs.hindcast`, to the last bit, whatever the parts. Sums have no median: the rows of the
scores lack ``median_abs``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import Tables
from releo_da.io.in_situ import InSitu
from releo_da.io.strips import Stream
from releo_da.runs.baselines import Said
from releo_da.runs.block import Task, Tick
from releo_da.runs.field import usable
from releo_da.runs.hindcast import Outcome, block_results, prepared
from releo_da.runs.located import located
from releo_da.runs.map_found import Found, of_sample
from releo_da.runs.model import Model
from releo_da.runs.scoring import score
from releo_da.runs.sums import Sums
from releo_da.runs.withhold import Rule
from releo_da.types import State

Write = Callable[[Array, Mapping[str, Array]], None]
"""``write(ids, {variable: [statistic, time, pixel]})`` of some pixels, by ascending id."""

Keep = Callable[[State], None]
"""``keep(state)`` of some pixels, by ascending id."""


@dataclass(frozen=True)
class MapOutcome:
    """What a hindcast of a map leaves behind, beside its files.

    Attributes:
        sums: comparisons of all pixels.
        sampled: the outcome over the sample of the pixels, without output variables and state;
            field measurements, innovations and counts are those of all pixels, biases of sensors
            those of the sample.
    """

    sums: Sums
    sampled: Outcome


def hindcast_map(
    model: Model,
    stream: Stream,
    task: Task,
    product_times: Sequence[float],
    fields: Sequence[InSitu],
    withhold: Rule | None,
    write: Write,
    write_analysed: Write,
    keep: Keep,
    write_seasons: Write,
    device: torch.device | str = "cpu",
    tick: Tick = lambda label: None,
) -> MapOutcome:
    """Analyse and smooth a map, part by part.

    Args:
        model: the joined system.
        stream: the map.
        task: members, seed, horizons.
        product_times: times of the output variables (days).
        fields: tables of field measurements, joined to ``stream.pixels``.
        withhold: the rule of what is withheld; None withholds nothing.
        write: takes the output variables, smoothed where the run is.
        write_analysed: takes them before smoothing.
        keep: takes the last state.
        write_seasons: takes what is kept of the dates of seasons.
        device: where tensors live while the loop runs.
        tick: called after each acquisition of each pass.
    """
    model = located(model, stream.pixels)
    acquisitions = stream.sample.acquisitions
    times = np.array([a.time for a in acquisitions])
    fields = [_counted(table, times, stream) for table in fields]
    asked = sorted({*product_times, *(float(t) for table in fields for t in table.time)})
    task = prepared(task, times[0], asked)
    index = [np.full((len(table.time), len(times)), np.nan) for table in fields]
    sample = stream.sample.pixels["id"].values
    found = Found(sample, index, Tables(len(times), len(sample)))
    everything = stream.pixels["id"].values
    for part in stream.parts():
        ids = part.pixels["id"].values
        local = [_placed(table, everything, ids) for table in fields]
        held = {} if withhold is None else withhold.held(part.acquisitions, part.channels)
        for rows, result in block_results(
            model, part, task, product_times, local, withhold, held, device, tick
        ):
            here = ids[rows.numpy()]
            write(here, _statistics(result.smoothed or result.analysis))
            write_analysed(here, _statistics(result.analysis))
            keep(result.state)
            write_seasons(here, result.seasons)
            found.add(result, rows, here, local)
    masks = {} if withhold is None else withhold.held(acquisitions, stream.sample.channels)
    sampled = of_sample(found, model, stream, task, product_times, fields, masks)
    return MapOutcome(found.sums, sampled)


def score_map(
    outcome: MapOutcome,
    task: Task,
    baselines: Said,
    periods: Mapping[str, tuple[float, float]] | None = None,
) -> dict[str, Any]:
    """The scores of a map: sums over all pixels, and under ``sampled`` those of the sample.

    Args:
        outcome: the hindcast.
        task: what it was asked.
        baselines: what they said of the values of the sample.
        periods: first and last time of parts that are scored by themselves, by name.
    """
    held = score(outcome.sampled, task, baselines, periods)
    seconds = outcome.sampled.verification.time.values.astype("datetime64[ms]").astype(np.int64)
    times = seconds / 86_400e3
    found = _named(outcome.sums.rows(times))
    if periods:
        found["periods"] = {
            name: _named(outcome.sums.rows(times, *part)) for name, part in periods.items()
        }
    cases = set(found) | {"baselines"}
    pixels = outcome.sampled.verification.sizes["pixel"]
    found["sampled"] = {"pixels": pixels, **{k: v for k, v in held.items() if k in cases}}
    if outcome.sampled.biases:
        found["biases"] = outcome.sampled.biases
    alike = ("in_situ", "rejected_by_reason", "diverged", "seeds")
    found |= {key: held[key] for key in alike}
    found["baselines"] = held["baselines"]
    found["rejected"] = {name: n for name, n in outcome.sums.rejected.items() if n}
    return found


def _named(found: dict[str, Any]) -> dict[str, Any]:
    """The analysis at what it used is called the residual."""
    return {"residual" if case == "analysis" else case: rows for case, rows in found.items()}


def _counted(table: InSitu, times: Array, stream: Stream) -> InSitu:
    """The rows of a table with a clear acquisition of their pixel near in time."""
    alone = table._replace(pixel_index=np.arange(len(table.time)))
    good = usable(alone, times, stream.seen(table.pixel_index))
    return table._replace(
        pixel_index=table.pixel_index[good],
        time=table.time[good],
        value=table.value[good],
        row=table.row[good],
        stage=None if table.stage is None else table.stage[good],
    )


def _placed(table: InSitu, everything: Array, ids: Array) -> InSitu:
    """The table with positions on the pixel axis of a part, -1 for pixels elsewhere."""
    wanted = everything[table.pixel_index]
    place = np.searchsorted(ids, wanted).clip(max=ids.size - 1)
    return table._replace(pixel_index=np.where(ids[place] == wanted, place, -1))


def _statistics(held: Mapping[str, Array]) -> dict[str, Array]:
    """The output variables of a block, without members kept for field measurements."""
    return {n: v for n, v in held.items() if not n.startswith(("field ", "rows "))}
