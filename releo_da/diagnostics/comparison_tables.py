"""Tables of a comparison: scores side by side, differences with intervals, what was configured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from releo_da.diagnostics.comparison import PRODUCTS
from releo_da.diagnostics.differences import ALIKE, SCORES, UNSURE, Difference
from releo_da.diagnostics.naming import NAMES, Naming
from releo_da.diagnostics.plots.skill import number
from releo_da.diagnostics.plots.style import words
from releo_da.diagnostics.tables import Cell, Table, once

Rows = Mapping[str, Mapping[str, Any]]
"""Rows of scores.json by variable."""

CASES = ("analysis", "smoothed", "filtered", "background", "free_run", "retrieval")
SIDE = ("rmse", "crps", "coverage_90")
NOMINAL = 0.9
ABSENT = "–"


def case_words(case: str) -> str:
    """A case as words."""
    if case == PRODUCTS:
        return "products against the truth"
    return case.replace("in_situ_", "field measurements, ") if "in_situ" in case else words(case)


def rows_by_case(scores: Mapping[str, Any]) -> dict[str, Rows]:
    """All rows of scores.json by case, forecasts and field measurements with theirs in the name."""
    found: dict[str, Rows] = {case: scores[case] for case in CASES if scores.get(case)}
    for lead, rows in scores.get("forecast", {}).items():
        found[f"forecast_{lead}"] = rows
    for variable, cases in scores.get("in_situ", {}).items():
        for case, row in cases.items():
            if case in CASES:
                found.setdefault(f"in_situ_{case}", {})[variable] = row  # type: ignore[index]
    return found


def variables_first(names: Sequence[str]) -> list[str]:
    """Variables before channels, whose names begin with a capital letter."""
    return sorted(once(names), key=lambda name: name[:1].isupper())


def side_by_side(runs: Mapping[str, Mapping[str, Rows]], named: Naming = NAMES) -> list[Table]:
    """One table per case: variables down, scores of each run across, the best of each marked.

    Args:
        runs: rows by case (`rows_by_case`) of each run.
        named: names of variables and channels in all of them.
    """
    cases = dict.fromkeys(case for held in runs.values() for case in held)
    note = (
        "Scores of each run on its own values. Bold: the lowest error, or the coverage nearest to "
        "90 %. Where n differs, the runs were scored on different values: the differences below "
        "take only those that both have."
    )
    return [
        case_table(
            case, {name: held[case] for name, held in runs.items() if case in held}, note, named
        )
        for case in cases
    ]


def case_table(case: str, runs: Mapping[str, Rows], note: str, named: Naming = NAMES) -> Table:
    """The table of one case."""
    names = variables_first(list(dict.fromkeys(v for rows in runs.values() for v in rows)))
    rows = []
    held = [s for s in SIDE if any(s in row for found in runs.values() for row in found.values())]
    for name in names:
        line: list[Cell] = []
        for score in held:
            values = [number(found.get(name, {}).get(score)) for found in runs.values()]
            line += marked(values, score)
        counts = [number(found.get(name, {}).get("n")) for found in runs.values()]
        line += [Cell(ABSENT if n != n else f"{n:.0f}") for n in counts]
        rows.append((named.measured(name), line))
    head = ["", *(f"{words(score)}, {run}" for score in [*held, "n"] for run in runs)]
    return Table(f"Side by side: {case_words(case)}", note, head, rows)


def marked(values: Sequence[float], score: str) -> list[Cell]:
    """Texts of one score of all runs; the best is marked where they differ."""
    text = [shown(value, score) for value in values]
    away = [abs(v - NOMINAL) if score == "coverage_90" else v for v in values]
    known = [v for v in away if v == v]
    if len(known) < 2 or len({t for t in text if t != ABSENT}) < 2:
        return [Cell(t) for t in text]
    return [Cell(t, v == min(known)) for t, v in zip(text, away, strict=True)]


def shown(value: float, score: str) -> str:
    """Three digits, a share in per cent."""
    if value != value:
        return ABSENT
    return f"{100 * value:.1f} %" if score == "coverage_90" else f"{value:.3g}"


def difference_tables(
    first: str,
    found: Mapping[str, Sequence[Difference]],
    estimate: str = "estimate",
    named: Naming = NAMES,
) -> Iterator[Table]:
    """One table per run and case: variables down, change and interval of each score across.

    Args:
        first: name of the run that the others are compared with.
        found: differences by the name of the run.
        estimate: that analysis.nc holds, "smoothed" or "analysis".
        named: names of variables and channels in all runs.
    """
    for run, listed in found.items():
        for case in dict.fromkeys(one.case for one in listed):
            held = [one for one in listed if one.case == case]
            used = [s for s in SCORES if any(one.score == s for one in held)]
            by_place = {(one.variable, one.score): one for one in held}
            names = variables_first(list(dict.fromkeys(one.variable for one in held)))
            rows = [
                (named.text(n), [difference_cell(by_place.get((n, score))) for score in used])
                for n in names
            ]
            over = ", ".join(dict.fromkeys(f"{one.units} {one.over}" for one in held))
            note = (
                f"Change against {first}{counted(held)}, with its 95 % interval over {over} below; "
                f"below 0 is better. {basis(held, estimate)} A word stands where the interval "
                "leaves out 0, which one in twenty does by chance."
            )
            title = f"{run} against {first}: {case_words(case)}"
            yield Table(title, note, ["", *map(words, used)], rows)


def basis(held: Sequence[Difference], estimate: str) -> str:
    """Which values the differences of one case are of: cases of one pair of runs differ in it."""
    if any(one.over == "seeds" for one in held):
        return "Of the scores of each seed, each run on all of its own acquisitions."
    if held[0].case == PRODUCTS:
        return (
            f"Of analysis.nc ({estimate}), on all product dates, whether a satellite passed or not."
        )
    return (
        "On the dates of acquisitions that both runs have: what further ones bring in between is "
        "not in it."
    )


def counted(held: Sequence[Difference]) -> str:
    """Number of values behind each row of one case; nothing where it is that of seeds."""
    known = [one.n for one in held if one.n == one.n]
    if not known:
        return ""
    low, high = min(known), max(known)
    return f" on the same {low:.0f}{f' to {high:.0f}' if high > low else ''} values"


def difference_cell(one: Difference | None) -> Cell:
    """Change and verdict of one score, the interval in a second line: narrow as a telephone."""
    if one is None:
        return Cell(ABSENT)
    shown = one.verdict not in (ALIKE, UNSURE)
    change = f"{percent(one.change)} %{f' {one.verdict}' if shown else ''}"
    between = UNSURE if one.verdict == UNSURE else f"{percent(one.lower)} to {percent(one.upper)}"
    return Cell(f"{change}\n{between}", shown)


def percent(share: float) -> str:
    """A change in per cent with its sign, one decimal below ten."""
    value = 100.0 * share
    text = f"{value:+.1f}" if abs(value) < 9.95 else f"{value:+.0f}"
    return text.replace("-0.0", "0.0").replace("+0.0", "0.0").replace("-", "−")


def configuration_table(runs: Mapping[str, Mapping[str, str]]) -> Table:
    """Keys of the resolved configurations that are not the same in all runs.

    Args:
        runs: values by dotted key (`flattened`) of each run.
    """
    rows = [
        (key, [Cell(value) for value in values])
        for key, values in configuration_differences(runs).items()
    ]
    note = (
        "Keys of config.yaml whose values are not the same; – where a run does not have the key. "
        "Entries of lists are counted from 0. Weights are named by the SHA-256 of their file."
    )
    return Table("What differs between the configurations", note, ["key", *runs], rows, prose=True)


def configuration_differences(runs: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Values of each run by key, of the keys that are not the same in all runs."""
    keys = dict.fromkeys(key for held in runs.values() for key in held)
    listed = {key: [held.get(key, ABSENT) for held in runs.values()] for key in keys}
    return {key: values for key, values in listed.items() if len(set(values)) > 1}


def flattened(values: Any, key: str = "") -> dict[str, str]:
    """Plain values as ``{"score.horizons": "[10, 30]", "analyse[0].name": "etkf"}``."""
    if isinstance(values, Mapping) and values:
        inner = {f"{key}.{name}" if key else str(name): one for name, one in values.items()}
    elif isinstance(values, list) and any(isinstance(one, Mapping | list) for one in values):
        inner = {f"{key}[{k}]": one for k, one in enumerate(values)}
    else:
        text = ", ".join(map(str, values)) if isinstance(values, list) else str(values)
        return {key: f"[{text}]" if isinstance(values, list) else text}
    return {k: v for name, one in inner.items() for k, v in flattened(one, name).items()}
