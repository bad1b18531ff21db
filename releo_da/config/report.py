"""The report of a finished run, made from its files alone (`releo-da plot RUN`)."""

from __future__ import annotations

from collections import Counter
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
from releo_da.config.tile_alarms import tile_alarms, tiled_line
from releo_da.config.tile_report import tile_maps, tile_pictures, tile_table
from releo_da.config.truth_line import truth_line
from releo_da.cycling.ledger import Ledger
from releo_da.diagnostics.ahead import forecast_pictures
from releo_da.diagnostics.gallery import gallery
from releo_da.diagnostics.phenology import phenology_pictures
from releo_da.diagnostics.picture import FieldPairs
from releo_da.diagnostics.plots.style import words
from releo_da.diagnostics.report import write_report
from releo_da.diagnostics.tables import ABSENT, tables
from releo_da.diagnostics.truth import twin_pictures
from releo_da.diagnostics.verdict import verdict
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
    raised: list[str] = []
    kept = {name: root / f"{name}.nc" for name in ("analysis", "verification")}
    said = read_products(kept["verification"]) if kept["verification"].is_file() else None
    sampled = said.pixel.values if "sampled" in scores and said is not None else ()
    check_drawable(run, said)
    whole = kept["analysis"].is_file()
    damaged: list[str] = []
    if whole:
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
        rules = run_rules(root)
        with Ledger(root / LEDGER, reads=True) if ledger is None else nullcontext(ledger) as held:
            pictures += health_pictures(held, rules, root)
            raised = [line(one) for one in standing(held, rules, root)]
    if (root / PLAN).is_file():
        drawn, wrong = tile_maps(root)
        pictures += tile_pictures(root) + drawn
        damaged += wrong
        raised = [tiled_line(one) for one in tile_alarms(root, read_plan(root))]
    ahead = [root / FORECAST] if (root / FORECAST).is_file() else []
    ahead += scenarios_of(root)
    ready = {path.stem: one for path in ahead if (one := _read(path, sampled, damaged)) is not None}
    if ready:
        usual = None
        if (root / CLIMATOLOGY).is_file():
            usual = _read(root / CLIMATOLOGY, sampled, damaged)
        first, *others = ready.items()
        pictures += forecast_pictures(first[1], found, usual, said, field, dict(others))
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


def summary(scores: dict[str, Any], members: int | None = None) -> list[str]:
    """What a hurried reader should take home; ``members`` is the size of the ensemble."""
    if scores.get("free_run"):
        return twin_summary(scores, members)
    said = embedded_summary(scores["embedding"]) if "embedding" in scores else []
    smoothed = scores.get("smoothed", {}).get("ndvi")
    linear = scores.get("baselines", {}).get("linear", {}).get("smoothed", {}).get("ndvi")
    if smoothed and linear:
        said.append(
            f"Withheld NDVI: RMSE {smoothed['rmse']:.3f} (linear interpolation "
            f"{linear['rmse']:.3f}), 90 % intervals hold {100 * smoothed['coverage_90']:.0f} %."
        )
    fitted = ", fitted in sample" if scores.get("in_sample") else ""
    for days, rows in scores.get("forecast", {}).items():
        rivals = {
            name: parts["forecast"][days]["ndvi"]["crps"]
            for name, parts in scores.get("baselines", {}).items()
            if "ndvi" in parts.get("forecast", {}).get(days, {})
        }
        if "ndvi" in rows and rivals:
            best = min(rivals, key=lambda n: rivals[n])
            said.append(
                f"Forecast of NDVI {days} days ahead: CRPS {rows['ndvi']['crps']:.3f} "
                f"(best baseline {best} {rivals[best]:.3f}{fitted})."
            )
    for name, rows in scores.get("in_situ", {}).items():
        row = rows.get("smoothed") or rows.get("analysis")
        if row:
            plural = "" if row["n"] == 1 else "s"
            # One measurement, or all alike, have no correlation with anything.
            r2 = "" if row["r2"] is None else f", r2 {row['r2']:.2f}"
            said.append(
                f"{name} against {row['n']} field measurement{plural}: RMSE {row['rmse']:.2f}, "
                f"bias {row['bias']:+.2f}{r2}."
            )
    return said


def embedded_summary(row: dict[str, Any]) -> list[str]:
    """The same of an embedding."""
    said = [
        f"Embedding of {row['dimensions']} numbers at {row['dates']} dates; mean evidence "
        f"{row['evidence']:.2f} (0 where nothing was seen, to 1)."
    ]
    if row.get("out_of_domain") is not None:
        said.append(
            f"{100 * row['out_of_domain']:.1f} % of dates with an acquisition near are out of the "
            f"domain of the encoder; mean misfit {row['misfit']:.2f} observation errors."
        )
    return said


def twin_summary(scores: dict[str, Any], members: int | None = None) -> list[str]:
    """The same of a twin experiment."""
    said = verdict(scores, members)
    if said:
        return said
    for name in ("lai", "cab", "ndvi"):
        rows = {c: scores.get(c, {}).get(name) for c in ("free_run", "analysis", "smoothed")}
        if all(rows.values()):
            free, mine, smooth = (shown(row["rmse"], 3) for row in rows.values())
            held = rows["analysis"]["coverage_90"]
            share = ABSENT if held is None else f"{100 * held:.0f}"
            said.append(
                f"{words(name)} against the truth: RMSE {free} without observations, {mine} "
                f"analysed, {smooth} smoothed; 90 % intervals of the analysis hold {share} %."
            )
    if "state" in scores["analysis"]:
        said.append(toy_summary(scores))
    return said


def toy_summary(scores: dict[str, Any]) -> str:
    """The same of a toy model: error, spread and the references beside them."""
    row, lost = scores["analysis"]["state"], scores.get("diverged", 0)
    beside = scores["baselines"]["optimal_interpolation"]["analysis"]["state"]["rmse"]
    number = len(scores["replicates"]["analysis"]["rmse"])
    free = scores["free_run"]["state"]["rmse"]
    return (
        f"Analysis of {number} replicates: RMSE {shown(row['rmse'])} (median), spread "
        f"{shown(row['spread'])}; {shown(free)} without observations, {shown(beside)} by optimal "
        f"interpolation. Diverged: {lost}."
        + (" The free run left the finite numbers." if free is None else "")
    )


def shown(score: float | None, digits: int = 4) -> str:
    """A score in so many digits; a dash where it is null, so of what left the finite numbers."""
    return ABSENT if score is None else f"{score:.{digits}g}"


def warnings(log: list[dict[str, Any]], scores: dict[str, Any]) -> list[str]:
    """What a reader should know before trusting the run."""
    notes = reading_notes(log)
    rejected = scores.get("rejected", {})
    if rejected:
        listed = ", ".join(f"{name} {count}" for name, count in rejected.items())
        why = ", ".join(f"{n} by {r}" for r, n in scores.get("rejected_by_reason", {}).items())
        total = int(np.sum(list(rejected.values())))
        notes.append(f"Screening refused {total} values: {listed}" + (f" ({why})" if why else ""))
    notes += [
        f"no field measurement of {name} lies within score.in_situ.within_days of a clear "
        "acquisition of its pixel: none is compared"
        for name, rows in scores.get("in_situ", {}).items()
        if not any(row.get("n") for row in rows.values())
    ]
    if scores.get("diverged"):
        what = "replicates" if "replicates" in scores else "pixels"
        notes.append(f"{scores['diverged']} {what} diverged")
    return notes


def reading_notes(log: list[dict[str, Any]]) -> list[str]:
    """What reading found, in sentences: refused values, offsets, suspicions, duplicates."""
    notes = []
    once: dict[tuple[str, Any], str] = {}
    suspicious: dict[str, list[str]] = {}
    refused: Counter[str] = Counter()
    for record in log:
        if record["kind"] == "offset":
            notes.append(record["message"])
        elif record["kind"] == "values":
            refused.update(record["rejected"])
            refused.pop("masked", None)  # clouds are what masks are for
        elif record["kind"] == "suspicious":
            suspicious.setdefault(record["what"], []).append(record["message"])
        elif record["kind"] in ("left_out", "encoder_range"):
            notes.append(record["message"])
        elif record["kind"] in ("no_weather", "not_met") and "message" in record:
            once[record["kind"], record.get("what")] = record["message"]  # the last call's
        elif record["kind"] == "cut":
            notes.append(
                f"What is counted here of reading and arrival is in log.jsonl after its first "
                f"{record['bytes'] / 1e6:.1f} MB; older lines were not read"
            )
        elif record["kind"] == "in_situ" and record.get("repeated"):
            notes.append(
                f"{record['repeated']} rows of {Path(record['path']).name} equal another row in "
                "every column and were left out"
            )
    notes += once.values()
    for told in suspicious.values():  # a service may find the same in every file
        more = f" (and {len(told) - 1} more of this kind: log.jsonl)" if len(told) > 1 else ""
        notes.append(f"Looks suspicious and was taken as it is: {told[0]}{more}")
    counts: Counter[str] = Counter()
    for record in log:
        counts[record["kind"]] += record.get("count", 1)
    for kind, text in {
        "unreadable": "{} lines of log.jsonl cannot be read and were left out",
        "unfitted": "dynamics and errors are the defaults, not fitted: see releo-da train",
        "all_masked": "{} dates without a clear pixel were left out",
        "late": "{} acquisitions arrived after later ones and were left out",
        "refused": "{} times a file of the inbox could not be read",
        "duplicate": "{} products of a pass that another product covers were left out",
    }.items():
        if counts[kind]:
            notes.append(text.format(counts[kind]))
    notes += [f"{n} values refused while reading: {why}" for why, n in refused.items() if n]
    return notes
