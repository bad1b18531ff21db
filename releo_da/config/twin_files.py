"""Output variables, truth and state of a twin experiment: written at once, or block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from releo_da.config.assemble import Assembly
from releo_da.config.phenology import write_seasons, writing_seasons
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.seasons import Seasons
from releo_da.io import products_dataset, write_products, write_state
from releo_da.io.map_file import writing_map
from releo_da.io.state_parts import writing_state
from releo_da.runs.block import Task
from releo_da.runs.compare import QUANTILES
from releo_da.runs.twin import Sinks, TwinOutcome

STATE = "state.safetensors"

MEANING = {
    "smoothed": "estimated from all simulated acquisitions (smoothed)",
    "analysis": "estimated from simulated acquisitions up to each date",
    "truth": "as they truly were",
}
"""What a file of output variables holds, by its ``estimate``."""


def attributes_of(provenance: Mapping[str, Any], estimate: str) -> dict[str, str]:
    """Global attributes of a product; ``estimate`` is "smoothed", "analysis" or "truth"."""
    return {
        "title": f"twin experiment: land-surface variables, {MEANING[estimate]}",
        "source": f"releo_da {provenance['version']} {provenance['commit'] or ''}".strip(),
        "history": f"{provenance['written']} releo-da {provenance['command']}",
        "estimate": estimate,
        "seed": str(provenance["seed"]),
        "configuration_sha256": str(provenance.get("configuration_sha256", "")),
    }


def write_estimates(
    root: Path,
    outcome: TwinOutcome,
    pixels: xr.Dataset,
    provenance: Mapping[str, Any],
    wanted: Seasons | None = None,
) -> None:
    """Output variables, truth, state and seasons, each file written whole or not at all."""
    for name, held, estimate in (
        ("analysis", outcome.products, outcome.estimate),
        ("truth", outcome.truth, "truth"),
    ):
        what = attributes_of(provenance, estimate)
        dataset = products_dataset(outcome.product_times, pixels, held, what)
        write_products(root / f"{name}.nc", dataset)
    write_state(root / STATE, outcome.state)
    told = attributes_of(provenance, outcome.estimate)
    write_seasons(root, outcome.product_times, pixels, outcome.seasons, wanted, told, truth=True)


@contextmanager
def writing(
    root: Path,
    ours: Assembly,
    task: Task,
    pixels: xr.Dataset | None,
    provenance: Mapping[str, Any],
) -> Iterator[Sinks | None]:
    """What takes estimates, truth, state and seasons block by block; None where `pixels` is.

    Args:
        root: the run directory.
        ours: the system that assimilates.
        task: with the product dates.
        pixels: the pixel axis of a grid.
        provenance: of the run.
    """
    if pixels is None:
        yield None
        return
    times, described = np.array(sorted(set(task.asked))), ours.model.described
    estimate = "analysis" if ours.model.smooth is None else "smoothed"
    told = {name: attributes_of(provenance, name) for name in (estimate, "truth")}
    with (
        writing_map(
            root / "analysis.nc", times, pixels, described, QUANTILES, told[estimate]
        ) as write,
        writing_map(
            root / "truth.nc", times, pixels, described, (), told["truth"], spread=False
        ) as write_true,
        writing_state(root / STATE, pixels.sizes["pixel"]) as keep,
        writing_seasons(
            root, times, pixels, task.seasons, told[estimate], truth=True
        ) as write_dates,
    ):

        def true(ids: Array, values: Mapping[str, Array]) -> None:
            write_true(ids, {name: one[:1] for name, one in values.items()})

        yield Sinks(write, true, keep, write_dates)
