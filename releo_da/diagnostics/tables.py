"""Scores as tables: the assimilation in the first row, the baselines under it.

The best value of a column is marked, so that a reader sees at once whether assimilation pays.
Tables are plain data (texts and marks); the report and the terminal draw them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.fitted import of_forecasts, of_withheld
from releo_da.diagnostics.leads import middle
from releo_da.diagnostics.naming import NAMES, Naming, naming
from releo_da.diagnostics.plots.skill import OURS, forecasts, number
from releo_da.diagnostics.plots.style import words
from releo_da.diagnostics.season_tables import season_tables
from releo_da.diagnostics.twin_tables import ordered, plain, share_text, signed, twin_tables

COLUMNS = ("rmse", "bias", "mae", "median_abs", "crps", "spread", "coverage_90", "n")
FIELD = ("rmse", "bias", "unbiased_rmse", "r2", "explained", "crps", "coverage_90", "n")
LOWEST = {"rmse", "mae", "median_abs", "crps", "crps_fair", "unbiased_rmse"}
HIGHEST = {"r2", "explained"}
TWIN = ("free_run", "background", "analysis", "smoothed")
BIAS = ("truth", "mean", "spread", "between", "prior")
SIGNED = {"truth", "mean"}
DEPARTURES = {
    "bias": "O-B", "sd": "sd O-B", "expected": "expected", "residual_bias": "O-A",
    "residual_sd": "sd O-A", "assumed": "assumed", "estimated": "estimated",
}  # fmt: skip
TEXTS: Mapping[str, Callable[[float], str]] = {
    "bias": partial(signed, digits=3),
    "coverage_90": share_text,
}
"""How scores of a twin are written of which none is marked."""

ABSENT = "–"
HIDDEN = "Dates hidden from every method."
MATRIX = 3  # from this many variables on, baselines are shown as one matrix


def tables(
    scores: Mapping[str, Any], members: int | None = None, units: Mapping[str, str] | None = None
) -> list[Table]:
    """Every table of scores.json, in reading order; empty parts give none.

    Args:
        scores: scores.json.
        members: size of the ensemble, where it is known.
        units: of variables, where they are known.
    """
    if scores.get("free_run"):
        told = truth_tables(scores, units) + season_tables(scores)
        told += twin_tables(scores, members, units)
        return told + innovation_tables(scores) + bias_tables(scores)
    found: list[Table] = []
    named = naming(scores, units)
    if scores.get("analysis"):
        note = "Analysis against the truth."
        found.append(by_variable("Analysis", note, scores["analysis"], named))
    found += withheld_tables(scores, named)
    found += forecast_tables(scores, named)
    found += [field_table(name, rows, named) for name, rows in scores.get("in_situ", {}).items()]
    if scores.get("background"):
        note = (
            "Values about to be assimilated against their prediction (observation error included)."
        )
        found.append(by_variable("Background", note, scores["background"], named))
    found += innovation_tables(scores)
    found += bias_tables(scores)
    return [table for table in found if table.rows]


def innovation_tables(scores: Mapping[str, Any]) -> list[Table]:
    """Innovations of each sensor of which something was used."""
    said = scores.get("innovations", {})
    return [innovation_table(name, row) for name, row in said.items() if row["errors"]]


def innovation_table(sensor: str, row: Mapping[str, Any]) -> Table:
    """Departures of the channels of a sensor, and their errors as assumed and as estimated."""
    chi2, dfs = number(row["reduced_chi2"]), number(row["dfs"])
    note = (
        f"Innovations of {row['values']} values: chi2 per value {chi2:.2f} (1 where errors and "
        f"spread are right), {dfs:.2f} degrees of freedom for signal per pixel. Mean and standard "
        "deviation of observation minus background (O-B) and minus analysis (O-A); expected: the "
        "deviation of O-B by spread and error. Deviations of the observation error as assumed and "
        "as estimated by Desroziers et al. (2005)."
    )
    rows = []
    for name, one in row["errors"].items():
        held = [number(one.get(key)) for key in DEPARTURES]
        texts = ["–" if value != value else f"{value:.4f}" for value in held]
        rows.append((name, [*map(Cell, texts), Cell(str(one["n"]))]))
    return Table(f"Innovations of {sensor}", note, ["", *DEPARTURES.values(), "n"], rows)


def bias_tables(scores: Mapping[str, Any]) -> list[Table]:
    """What the last analysis says of the bias of each sensor's channels, where it estimates any."""
    note = (
        "Bias of a channel at the end of the run: mean over pixels, spread of the ensemble at a "
        "pixel, deviation between pixels. Prior: the deviation before any observation."
    )
    found = []
    for sensor, rows in scores.get("biases", {}).items():
        columns = [c for c in BIAS if any(c in row for row in rows.values())]
        cells_of = {
            name: [
                Cell(f"{number(row.get(c)):+.4f}" if c in SIGNED else f"{number(row[c]):.4f}")
                for c in columns
            ]
            for name, row in rows.items()
        }
        found.append(Table(f"Bias of {sensor}", note, head(columns), list(cells_of.items())))
    return found


def truth_tables(scores: Mapping[str, Any], units: Mapping[str, str] | None = None) -> list[Table]:
    """A twin experiment: variables down, estimates and lead times across.

    A forecast is of fewer dates than an estimate, so each has the free run on its own dates beside
    it, and the best of a row is that of the estimates alone.
    """
    held = [(words(case), scores[case]) for case in TWIN if scores.get(case)]
    estimates = len(held)
    unit = "" if "replicates" in scores else "days "
    free = scores.get("baselines", {}).get("free_run", {}).get("forecast", {})
    for lead, rows in scores.get("forecast", {}).items():
        held.append((f"{lead} {unit}ahead", rows))
        if lead in free:
            held.append(("free run then", free[lead]))
    names, named = ordered(list(scores["free_run"])), naming(scores, units)
    note = "Against the truth. Estimates: at every pixel of every acquisition, clear or not."
    if len(held) > estimates:
        note += (
            " Forecasts: at those acquisitions alone that have one so much older, so compare each "
            "with the free run of the same dates, which stands beside it, and not across."
        )
    found = []
    for score in ("rmse", "bias", "crps_fair", "coverage_90"):
        rows, marked = [], score in LOWEST
        called = named.text if score == "coverage_90" else named.measured
        # Biases are as large as errors are: three decimals would be nothing of some variables.
        text = plain if marked else TEXTS[score]
        for name in names:
            values = [number(rows_.get(name, {}).get(score)) for _, rows_ in held]
            least = min((v for v in values[:estimates] if v == v), default=float("nan"))
            cells_ = [
                Cell(text(v), marked and k < estimates and v == least) for k, v in enumerate(values)
            ]
            rows.append((called(name), cells_))
        if not any(score in row for row in scores["free_run"].values()):
            continue  # runs of a time before there was a fair CRPS
        bold = " Bold: the best of the estimates." if marked else ""
        title = f"Estimates against the truth: {words(score)}"
        found.append(Table(title, note + bold, ["", *(told for told, _ in held)], rows))
    return found


def by_variable(title: str, note: str, rows: Mapping[str, Any], named: Naming = NAMES) -> Table:
    """One row per variable or channel, without columns that nobody fills."""
    called = {named.measured(name): rows[name] for name in once(rows)}
    used = filled(called, COLUMNS)
    return Table(title, note, head(used), cells(called, used, mark=False))


def once(names: Iterable[str]) -> list[str]:
    """Names of channels with NDVI once: a channel that reports it is scored as ``ndvi`` as well."""
    held = list(names)
    return [n for n in held if n == "ndvi" or n.lower() != "ndvi" or "ndvi" not in held]


def withheld_tables(scores: Mapping[str, Any], named: Naming = NAMES) -> list[Table]:
    """Full rows for an index or a single variable, matrices of RMSE and CRPS for channels."""
    held: Mapping[str, Any] = scores.get("smoothed", {})
    rivals, hidden = methods(scores, "smoothed"), HIDDEN + of_withheld(scores)
    several = [name for name in once(held) if name != "ndvi"]
    full = [name for name in once(held) if name == "ndvi" or len(several) < MATRIX]
    result = []
    for name in full:
        rows = {OURS: held[name], **{r: v[name] for r, v in rivals.items() if name in v}}
        note = f"{hidden} Bold: best of the column."
        result.append(ladder(f"Withheld {named.measured(name)}", note, rows, COLUMNS))
    if len(several) >= MATRIX:
        for score in ("rmse", "crps"):
            result.append(matrix(score, several, {OURS: held, **rivals}, hidden, named))
    return result


def matrix(
    score: str,
    variables: Sequence[str],
    found: Mapping[str, Mapping[str, Any]],
    said: str,
    named: Naming = NAMES,
) -> Table:
    """One score, variables down and methods across; the best of a row is marked."""
    rows = []
    for name in variables:
        values = [number(rows_.get(name, {}).get(score)) for rows_ in found.values()]
        least = min((v for v in values if v == v), default=float("nan"))
        rows.append((named.measured(name), [Cell(written(v), v == least) for v in values]))
    note = f"{said} Bold: best of the row."
    return Table(f"Withheld values: {words(score)}", note, ["", *map(words, found)], rows)


def forecast_tables(scores: Mapping[str, Any], named: Naming = NAMES) -> list[Table]:
    """Per variable and score: methods down, horizons across."""
    names = dict.fromkeys(v for rows in scores.get("forecast", {}).values() for v in rows)
    chosen = [n for n in names if n == "ndvi"] or list(names)[:MATRIX]
    result = []
    for name in chosen:
        lines = forecasts(scores, name)
        days = sorted({day for rows in lines.values() for day in rows}, key=middle)
        for score in ("rmse", "crps", "coverage_90"):
            note = "Only observations at least so many days older were used. "
            note += of_forecasts(scores)
            called = named.text if score == "coverage_90" else named.measured
            title = f"Forecasts of {called(name)}: {words(score)}"
            columns = ["", *(f"{day} days" for day in days)]
            rows = across(lines, days, score)  # most rivals say nothing of coverage
            rows = [one for one in rows if any(cell.text != ABSENT for cell in one[1])]
            result.append(Table(title, note, columns, rows))
    return result


def across(
    lines: Mapping[str, Mapping[str, Any]], days: Sequence[str], score: str
) -> list[tuple[str, list[Cell]]]:
    """One score, methods down and horizons across; the best of each horizon is marked."""
    found = {m: [number(rows.get(d, {}).get(score)) for d in days] for m, rows in lines.items()}
    lowest = [
        min((v for v in c if v == v), default=None) for c in zip(*found.values(), strict=True)
    ]
    marked = score in LOWEST and len(found) > 1
    return [
        (
            words(method),
            [
                Cell(written(v, score), marked and v == low)
                for v, low in zip(row, lowest, strict=True)
            ],
        )
        for method, row in found.items()
    ]


def field_table(name: str, rows: Mapping[str, Any], named: Naming = NAMES) -> Table:
    """Field measurements: the state and the two lines beside it."""
    note = (
        "Constant: mean of the other measurements; line: fitted to NDVI on the other "
        "measurements. Coverage adds the measurement error to the ensemble."
    )
    return ladder(f"{named.measured(name)} against field measurements", note, rows, FIELD)


def ladder(title: str, note: str, rows: Mapping[str, Any], columns: Sequence[str]) -> Table:
    """Methods down, scores across, without columns that nobody fills."""
    used = filled(rows, columns)
    return Table(title, note, head(used), cells({words(n): r for n, r in rows.items()}, used))


def filled(rows: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """The columns in which at least one row has a number."""
    return [c for c in columns if any(v == v for r in rows.values() for v in [number(r.get(c))])]


def methods(scores: Mapping[str, Any], part: str) -> dict[str, Mapping[str, Any]]:
    """The baselines that have a part, ``{name: {variable: row}}``."""
    found = scores.get("baselines", {})
    return {name: parts[part] for name, parts in found.items() if parts.get(part)}


def head(columns: Sequence[str]) -> list[str]:
    """Names of columns in words, after the empty corner."""
    return ["", *map(words, columns)]


def cells(
    rows: Mapping[str, Mapping[str, Any]],
    columns: Sequence[str],
    mark: bool = True,
) -> list[tuple[str, list[Cell]]]:
    """Texts of a table, the best of each column marked where there is a choice."""
    best: dict[str, float] = {}
    for column in columns:
        values = [v for row in rows.values() if (v := number(row.get(column))) == v]
        if mark and len(values) > 1 and column in LOWEST | HIGHEST:
            best[column] = min(values) if column in LOWEST else max(values)
    return [
        (
            name,
            [Cell(written(v, c), v == best.get(c)) for c in columns for v in [number(row.get(c))]],
        )
        for name, row in rows.items()
    ]


def written(value: float, column: str = "") -> str:
    """A number as it is read: three decimals, shares in per cent, a dash for nothing."""
    if value != value:
        return ABSENT
    if column == "n":
        return f"{value:.0f}"
    if column == "coverage_90":
        return f"{100 * value:.0f} %"
    return f"{value:+.3f}" if column == "bias" else f"{value:.3f}"
