"""The report of a finished run, made from its files alone (`releo-da plot RUN`)."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from releo_da.config.comparable import scored_from
from releo_da.config.drawable import changed_since, check_drawable
from releo_da.config.finished import finished, published
from releo_da.config.health import health_pictures, line, run_rules, standing
from releo_da.config.phenology import FILE as PHENOLOGY
from releo_da.config.report_notes import warnings
from releo_da.config.report_summary import summary
from releo_da.config.tile_alarms import tile_alarms, tiled_line
from releo_da.config.tile_report import tile_maps, tile_pictures, tile_table
from releo_da.config.truth_line import truth_line
from releo_da.cycling.ledger import Ledger
from releo_da.diagnostics.ahead import forecast_pictures
from releo_da.diagnostics.gallery import gallery
from releo_da.diagnostics.phenology import phenology_pictures
from releo_da.diagnostics.picture import FieldPairs, Picture
from releo_da.diagnostics.report import write_report
from releo_da.diagnostics.tables import tables
from releo_da.diagnostics.truth import twin_pictures
from releo_da.io import read_products
from releo_da.io.products import read_thinned
from releo_da.io.tile_plan import PLAN, read_plan
from releo_da.io.times import to_days
from releo_da.observation.derived import described, output_units
from releo_da.runs.field import measurement_error
from releo_da.strict_yaml import parse
from releo_da.types import InputError

LEDGER = "ledger.sqlite"
"""What a cycling run has committed."""

FORECAST, CLIMATOLOGY = "forecast.nc", "climatology.nc"
"""What `releo-da forecast` leaves in a run directory."""

SCENARIO = "forecast-"
"""What the names of forecasts under other weather begin with."""


def scenarios_of(root: Path) -> list[Path]:
    """The forecasts of a run under the weather of files, by name."""
    return sorted(root.glob(f"{SCENARIO}*.nc"))


def report(root: Path, ledger: Ledger | None = None) -> Path:
    """Draw the figures of a run directory and write its report; returns the report's path.

    Args:
        root: the run directory.
        ledger: of a cycling run, where it is open already.

    Raises:
        InputError: the directory holds no finished run, or one written in another form.
    """
    run = finished(root)
    _, scores, text, log, made = run
    raised, damaged = list[str](), list[str]()
    kept = {name: root / f"{name}.nc" for name in ("analysis", "verification")}
    said = read_products(kept["verification"]) if kept["verification"].is_file() else None
    sampled = said.pixel.values if "sampled" in scores and said is not None else ()
    check_drawable(run, said)
    if kept["analysis"].is_file():
        found: xr.Dataset | None = read_thinned(kept["analysis"], sampled)
    else:
        found, damaged = published(root)
    ids = np.empty(0, int) if said is None else said.pixel.values
    field = [field_pairs(path, ids) for path in sorted(root.glob("field_*.csv"))]
    units, values = output_units(), parse(text, str(root / "config.yaml"))
    if (root / "truth.nc").is_file() and said is not None and found is not None:
        truth, scored = read_thinned(root / "truth.nc", sampled), scored_from(values)
        pictures = twin_pictures(scores, said, found, truth, made.get("seed", 0), units, scored)
    else:
        pictures = gallery(scores, said, found, field, made.get("seed", 0))
    if (root / PHENOLOGY).is_file():
        pictures += phenology_pictures(read_thinned(root / PHENOLOGY, sampled))
    if (root / LEDGER).is_file():
        drawn, raised = _of_service(root, ledger)
        pictures += drawn
    if (root / PLAN).is_file():
        drawn, wrong = tile_maps(root)
        pictures += tile_pictures(root) + drawn
        damaged += wrong
        raised = [tiled_line(one) for one in tile_alarms(root, read_plan(root))]
    drawn, wrong = _of_forecasts(root, found, said, field, sampled)
    pictures += drawn
    damaged += wrong
    members = None if said is None or "members" not in said.attrs else int(said.attrs["members"])
    told = summary(scores, members)
    if scores.get("free_run") and said is not None:
        whose = truth_line(values, said, "sampled" in scores)
        told = [*([whose] if whose else []), *told]
    content: dict[str, Any] = {
        "title": f"releo_da {made.get('command', 'run')}: {root.name}",
        "summary": told,
        "run": {k: v for k, v in made.items() if k != "kind"},
        "warnings": raised + damaged + changed_since(run) + warnings(log, scores),
        "scores": scores,
        "members": members,
        "units": units,
        "config": text,
    }
    if (root / PLAN).is_file():
        content["tables"] = [tile_table(root), *tables(scores, members, units)]
    return write_report(root, content, pictures)


def _of_service(root: Path, ledger: Ledger | None) -> tuple[list[Picture], list[str]]:
    """Pictures of the health of a cycling run, and the alarms that stand."""
    rules = run_rules(root)
    with Ledger(root / LEDGER, reads=True) if ledger is None else nullcontext(ledger) as held:
        return health_pictures(held, rules, root), [line(a) for a in standing(held, rules, root)]


def _of_forecasts(
    root: Path,
    found: xr.Dataset | None,
    said: xr.Dataset | None,
    field: list[FieldPairs],
    sampled: ArrayLike,
) -> tuple[list[Picture], list[str]]:
    """Pictures of what `releo-da forecast` left, and what is wrong with damaged files."""
    damaged: list[str] = []
    ahead = [root / FORECAST] if (root / FORECAST).is_file() else []
    ahead += scenarios_of(root)
    ready = {path.stem: one for path in ahead if (one := _read(path, sampled, damaged)) is not None}
    if not ready:
        return [], damaged
    usual = None
    if (root / CLIMATOLOGY).is_file():
        usual = _read(root / CLIMATOLOGY, sampled, damaged)
    first, *others = ready.items()
    return forecast_pictures(first[1], found, usual, said, field, dict(others)), damaged


def _read(path: Path, sampled: ArrayLike, damaged: list[str]) -> xr.Dataset | None:
    """A forecast, thinned; of a damaged one, which a later forecast writes again, what is wrong."""
    try:
        return read_thinned(path, sampled)
    except InputError as error:
        damaged.append(str(error))
        return None


def field_pairs(path: Path, ids: np.ndarray) -> FieldPairs:
    """A table of field measurements as the figures want it; ``ids`` of the run's pixels."""
    table = pd.read_csv(path)
    variable = path.stem.removeprefix("field_").split("-")[0]
    cases = [c for c in ("analysis", "smoothed") if f"{c}_mean" in table]
    return FieldPairs(
        variable,
        described((variable,))[variable][0],
        table["measured"].to_numpy(),
        measurement_error(table["measured"].to_numpy(), variable),
        {c: table[f"{c}_mean"].to_numpy() for c in cases},
        {c: table[f"{c}_sd"].to_numpy() for c in cases},
        to_days(pd.to_datetime(table["time"]).to_numpy()),
        pd.Index(ids).get_indexer(table["pixel"].to_numpy()),
    )
