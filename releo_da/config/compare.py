"""Several finished runs in one report (`releo-da compare RUN RUN ...`), from their files alone.

Every run is compared with the first. What is compared with what, and how sure a difference is, is
said by `releo_da.diagnostics.comparison` and `differences`; `releo_da.config.paired_runs` asks them
of each run, and this module reads and joins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from releo_da.config.comparable import Opened, check_alike, opened_run, unique_names
from releo_da.config.drawable import changed_since
from releo_da.config.options import Options
from releo_da.config.paired_runs import on_common_dates, paired
from releo_da.config.weight_paths import EMULATOR, WEIGHTS
from releo_da.diagnostics.comparison import PRODUCTS, product_rows
from releo_da.diagnostics.comparison_pictures import MAIN, Compared, chosen, comparison_pictures
from releo_da.diagnostics.comparison_tables import (
    case_words,
    configuration_differences,
    configuration_table,
    difference_tables,
    flattened,
    percent,
    side_by_side,
)
from releo_da.diagnostics.differences import ALIKE, BETTER, UNSURE, WORSE, Difference
from releo_da.diagnostics.naming import naming
from releo_da.diagnostics.plots.style import words
from releo_da.diagnostics.report import write_report
from releo_da.io import create_run_directory, write_json
from releo_da.observation.derived import output_units
from releo_da.types import InputError

NUMBERS = "compare.json"
"""The comparison for machines."""

DEFAULT = Path("runs") / "compare"


def command(roots: Sequence[Path], options: Options) -> tuple[Path, list[str]]:
    """Compare runs; returns the path of the report and its summary.

    Raises:
        InputError: fewer than two runs, one given twice, one that is not finished or not readable,
            or runs of different periods, pixels or variables.
    """
    out = options.out or DEFAULT
    runs = opened_runs(roots, out)
    check_alike(runs)
    estimates, alike = on_common_dates(runs)
    found, notes, records = paired(runs, estimates, options.seed or 0)
    rows = {name: {**one.rows} for name, one in runs.items()}
    for name, one in estimates.items():
        rows[name] = {PRODUCTS: product_rows(one), **rows[name]}
    keys = {name: configured(one) for name, one in runs.items()}
    notes = [*version_notes(runs), *changed_notes(runs), *notes]
    first = next(iter(runs))
    said = [line for name, listed in found.items() for line in summary(name, first, listed)]
    pictures = comparison_pictures(
        Compared(
            rows,
            {name: one.run.scores.get("forecast", {}) for name, one in runs.items()},
            records,
            {name: one.analysis for name, one in runs.items() if one.analysis is not None},
            estimates,
            found,
            alike,
            any("replicates" in one.run.scores for one in runs.values()),
        )
    )
    scored, *others = (run.run.scores for run in runs.values())
    named = naming(scored, output_units(), *others)
    root = create_run_directory(out, ("figures",))
    write_json(root / NUMBERS, numbers(runs, rows, found, keys, notes))
    content = {
        "title": f"releo_da compare: {' · '.join(runs)}",
        "summary": said,
        "run": {name: told(one) for name, one in runs.items()},
        "noted": "What to know before reading the differences:",
        "warnings": notes,
        "tables": [
            configuration_table(keys),
            *difference_tables(first, found, estimate_of(runs[first]), named),
            *side_by_side(rows, named),
        ],
    }
    return write_report(root, content, pictures), said


def opened_runs(roots: Sequence[Path], out: Path) -> dict[str, Opened]:
    """All runs by name.

    Raises:
        InputError: fewer than two, one twice, or a directory that must not be written to.
    """
    if len(roots) < 2:
        raise InputError("compare takes two run directories or more; give another")
    seen: dict[Path, Path] = {}
    for root in roots:
        if root.resolve() in seen:
            raise InputError(
                f"{root} is the same directory as {seen[root.resolve()]}; give it once"
            )
        seen[root.resolve()] = root
    if out.resolve() in seen or (out / "scores.json").is_file():
        raise InputError(f"{out}: is the directory of a run; give another directory with --out")
    return dict(zip(unique_names(roots), map(opened_run, roots), strict=True))


def version_notes(runs: Mapping[str, Opened]) -> list[str]:
    """Whether other versions of the package wrote the runs."""
    wrote = {name: str(one.run.made.get("version", "unknown")) for name, one in runs.items()}
    if len(set(wrote.values())) == 1:
        return []
    return ["Written by different versions: " + ", ".join(f"{n} by {v}" for n, v in wrote.items())]


def changed_notes(runs: Mapping[str, Opened]) -> list[str]:
    """Which runs have another config.yaml than the one that they were started with."""
    return [f"{name}: {told}" for name, one in runs.items() for told in changed_since(one.run)]


def configured(one: Opened) -> dict[str, str]:
    """The resolved configuration by dotted key, weights by their contents."""
    found = flattened(one.values)
    for name in (WEIGHTS, EMULATOR):
        path = one.run.root / name
        if path.is_file():
            found[f"{name}: SHA-256"] = sha256(path.read_bytes()).hexdigest()[:12]
    return found


def estimate_of(one: Opened) -> str:
    """Which estimate the products of a run are."""
    held = {} if one.analysis is None else one.analysis.attrs
    return str(held.get("estimate", "estimated"))


def told(one: Opened) -> str:
    """What made a run, in one line."""
    made = one.run.made
    parts = [str(made.get("command", "run")), f"version {made.get('version', 'unknown')}"]
    parts += [
        f"{key} {made[key]}" for key in ("commit", "seed", "written") if made.get(key) is not None
    ]
    return ", ".join([*parts, str(one.run.root)])


def summary(name: str, first: str, listed: Sequence[Difference]) -> list[str]:
    """What a hurried reader should take home of a run, about RMSE in the case that matters most.

    Of runs with several seeds in common it is one that is of them all: products are of the first.
    """
    seeded = [one for one in listed if one.over == "seeds" and one.case in MAIN]
    listed = seeded or listed
    cases = {one.case for one in listed}
    case = next((c for c in MAIN if c in cases), None)
    if case is None:
        return [f"{name} against {first}: nothing could be paired."]
    held = {one.variable: one for one in listed if one.case == case and one.score == "rmse"}
    shown = [
        f"{words(v)} {percent(held[v].change)} %, {held[v].verdict}" for v in chosen(list(held), 5)
    ]
    counts = {told: sum(one.verdict == told for one in held.values())
              for told in (BETTER, WORSE, ALIKE, UNSURE)}  # fmt: skip
    of = ", ".join(f"{n} {told}" for told, n in counts.items() if n)
    counted = f" Of {len(held)} variables and channels: {of}." if len(held) > 1 else ""
    told = f"{case_words(case)}, {seeded[0].units} seeds" if seeded else case_words(case)
    return [f"{name} against {first}, change of RMSE ({told}): {'; '.join(shown)}.{counted}"]


def numbers(
    runs: Mapping[str, Opened],
    rows: Mapping[str, Any],
    found: Mapping[str, Sequence[Difference]],
    keys: Mapping[str, Mapping[str, str]],
    notes: Sequence[str],
) -> dict[str, Any]:
    """The content of `NUMBERS`."""
    made = ("command", "version", "commit", "seed", "configuration_sha256")
    return {
        "runs": {
            name: {"path": str(one.run.root), **{k: one.run.made.get(k) for k in made}}
            for name, one in runs.items()
        },
        "against": next(iter(runs)),
        "scores": rows,
        "differences": {
            name: [{**one._asdict(), "verdict": one.verdict} for one in listed]
            for name, listed in found.items()
        },
        "configuration": {
            key: dict(zip(runs, values, strict=True))
            for key, values in configuration_differences(keys).items()
        },
        "notes": list(notes),
    }
