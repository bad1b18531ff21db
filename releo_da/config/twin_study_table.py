r"""The table of a study of twins: every run pooled over seeds, and pairs of runs seed by seed.

Scores of a run are those of all comparisons of all seeds together. How sure they are is told by the
seeds, each of which is a whole experiment: a ratio of two RMSEs, r_s of seed s, has the interval

    exp(mean log r +- t(0.975, n - 1) sd log r / sqrt(n))

over n seeds, taken as independent, which those over a land are not quite
(`releo_da.diagnostics.repeats`). Such ratios stand in the columns "against", as a
difference in per cent (negative: less error), and in the table of pairs, where both runs are scored
on the passes that both have. A run does no harm to its rival where that interval ends below +1 %
(`HARM`), harms it where it begins above, and otherwise more seeds would be needed to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from releo_da.config.table_text import markdown
from releo_da.diagnostics.plots.style import words
from releo_da.diagnostics.repeats import interval_of_ratios, repeated
from releo_da.diagnostics.scores import Array
from releo_da.runs.sums import Sums
from releo_da.runs.twin_scores import free_ahead

SHOWN = ("lai", "cab", "cw", "soil_moisture", "ccc", "fapar", "ndvi")
"""Variables that stand in the table, where a run has them."""

PAIRED = ("analysis", "smoothed")
"""Estimates by which runs are compared."""

HARM = 0.01
"""A larger share of RMSE is harm."""

DEPENDENT = (
    "Intervals take seeds as independent; over a land, seeds share the growth model and its few "
    "years of weather, so an interval speaks of those years and is too narrow for another."
)
"""Said below a table with intervals."""

Scores = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What one run with one seed leaves behind.

    Attributes:
        run: its name.
        seed: of run and, one higher, truth.
        first: days from which it is scored.
        passes: time (days) and sensor of each acquisition, in time order.
        sums: comparisons of all pixels.
        seen: the same where the acquisition saw something.
        seconds: of work of one core.
    """

    run: str
    seed: int
    first: float
    passes: tuple[tuple[float, str], ...]
    sums: Sums
    seen: Sums
    seconds: float

    @property
    def times(self) -> Array:
        """Days of the acquisitions."""
        return np.array([time for time, _ in self.passes])


def table(found: Sequence[Found], against: Mapping[str, str]) -> tuple[str, Scores]:
    """Markdown and the same figures as numbers.

    Args:
        found: of every run and seed, seeds of a run in order.
        against: for some runs, the run that each is compared with.

    Returns:
        the text, and ``{"runs": {run: scores}, "pairs": {run: {rival, estimate: ..}}}``; scores of
        a run nest as scores.json does, pooled over seeds, with ``repeats`` of the seeds.
    """
    runs = {name: [f for f in found if f.run == name] for name in dict.fromkeys(_names(found))}
    scores: Scores = {"runs": {name: pooled(parts) for name, parts in runs.items()}, "pairs": {}}
    text = _runs_text(scores["runs"])
    for name, rival in against.items():
        compared = {case: pair(runs[name], runs[rival], case) for case in PAIRED}
        scores["pairs"][name] = {"against": rival, **compared}
    if against:
        text += "\n\n" + _pairs_text(scores["pairs"])
    seeds = [f.seed for f in next(iter(runs.values()))]
    minutes = sum(f.seconds for f in found) / 60
    many = len(seeds) > 1
    told = f"Seeds {', '.join(map(str, seeds))}" if many else f"Seed {seeds[0]}, so no intervals"
    if many:
        text += f"\n\n{DEPENDENT}"
    return f"{text}\n\n{told}; {minutes:.0f} minutes of one core.", scores


def _names(found: Sequence[Found]) -> list[str]:
    return [f.run for f in found]


def pooled(parts: Sequence[Found]) -> Scores:
    """Scores of all seeds of a run together, and of the seeds."""
    sums, seen = Sums(), Sums()
    for part in parts:
        sums += part.sums
        seen += part.seen
    first, times = parts[0].first, parts[0].times
    each = [_rows(part.sums, part.seen, times, first) for part in parts]
    whole = _rows(sums, seen, times, first)
    return {**whole, "repeats": repeated(each, [p.seed for p in parts])}


def _rows(sums: Sums, seen: Sums, times: Array, first: float) -> Scores:
    """Rows of every estimate, and those of the free run on the dates of each forecast."""
    found = sums.rows(times, first)
    free = free_ahead(found.get("forecast", {}), sums, times, first)
    ahead = {"baselines": {"free_run": {"forecast": free}}} if free else {}
    return {**found, **ahead, "seen": seen.rows(times, first)}


def pair(ours: Sequence[Found], theirs: Sequence[Found], case: str) -> dict[str, list[float]]:
    """Differences of RMSE on the passes that two runs share, seed by seed.

    Args:
        ours: seeds of a run.
        theirs: the same seeds of its rival.
        case: an estimate.

    Returns:
        for each variable ``[mean, lower, upper]`` of our RMSE as a share of theirs, less 1, the
        mean a geometric one.

    Raises:
        ValueError: the runs have other seeds.
    """
    rivals = {one.seed: one for one in theirs}
    if sorted(rivals) != sorted(one.seed for one in ours):
        raise ValueError("runs are compared seed by seed; give both the same seeds")
    pairs = [(one, rivals[one.seed]) for one in ours]
    both = [(_shared(a, b, case), _shared(b, a, case)) for a, b in pairs]
    names = [n for n in both[0][0] if all(n in one for pair_ in both for one in pair_)]
    ratios = {n: [np.sqrt(_square(a[n]) / _square(b[n])) for a, b in both] for n in names}
    return {
        name: [bound - 1.0 for bound in interval_of_ratios(values)]
        for name, values in ratios.items()
    }


def _shared(mine: Found, other: Found, case: str) -> dict[str, Array]:
    """Sums of one estimate on the scored passes that another run has too, by variable."""
    numbers = _numbered(other.passes)
    kept = [
        date
        for date, one in enumerate(_numbered(mine.passes))
        if one in numbers and one[0] >= max(mine.first, other.first)
    ]
    found: dict[str, Array] = {}
    for date in kept:
        for name, terms in mine.sums.terms.get((case, date), {}).items():
            found[name] = found.get(name, np.zeros_like(terms)) + terms
    return {name: terms for name, terms in found.items() if terms[0] > 0 and terms[2] > 0}


def _numbered(passes: Sequence[tuple[float, str]]) -> list[tuple[float, str, int]]:
    """Passes with how many of the same sensor and time went before."""
    return [(*one, list(passes[:k]).count(one)) for k, one in enumerate(passes)]


def _square(terms: Array) -> float:
    """Mean squared error of `releo_da.diagnostics.streaming.sums`."""
    return float(terms[2] / terms[0])


def verdict(change: Sequence[float]) -> str:
    """What a paired interval says of harm."""
    _, lower, upper = change
    if not np.isfinite([lower, upper]).all():
        return "one seed"
    return "no harm" if upper < HARM else "harm" if lower > HARM else "not told apart"


def _runs_text(runs: Mapping[str, Scores]) -> str:
    """A table of every variable, one line per run; of one run, one table with a line each."""
    first = next(iter(runs.values()))
    shown = [n for n in SHOWN if n in first["analysis"]]
    leads = {lead for scores in runs.values() for lead in scores.get("forecast", {})}
    ahead = [f"forecast_{lead}" for lead in sorted(leads, key=float)]
    smooth = ["smoothed"] if any("smoothed" in scores for scores in runs.values()) else []
    read = ["network"] if any("network" in s["seen"] for s in runs.values()) else []
    alone, everywhere = ["retrieval", *read], ["free_run", "analysis", *smooth]
    clear = ["free_run", *alone, "analysis"]
    head = [
        *(f"clear: {words(c)}" for c in clear),
        *(f"analysis against {words(c)}" for c in alone),
        *(f"all: {words(c)}" for c in (*everywhere, *ahead)),
        "analysis against free run",
    ]

    def line(scores: Scores, name: str) -> list[str]:
        ratio = scores["repeats"]["ratio"]
        rows = [scores["seen"].get(c, {}) for c in clear]
        others = [scores.get(c, {}) for c in everywhere]
        others += [scores.get("forecast", {}).get(a.removeprefix("forecast_"), {}) for a in ahead]
        return [
            *(_cell(r.get(name)) for r in rows),
            *(_share(ratio.get(c, {}).get("analysis", {}).get(name)) for c in alone),
            *(_cell(r.get(name)) for r in others),
            _share(ratio["free_run"].get("analysis", {}).get(name)),
        ]

    if len(runs) == 1:
        body = [[words(n), *line(first, n)] for n in shown]
        return markdown(["RMSE (coverage of 90 % intervals)", *head], body)
    parts = []
    for name in shown:
        body = [[run, *line(scores, name)] for run, scores in runs.items()]
        parts.append(markdown([f"RMSE (coverage) of {words(name)}", *head], body))
    return "\n\n".join(parts)


def _pairs_text(pairs: Mapping[str, Scores]) -> str:
    """Runs beside their rivals, a line for each variable."""
    body = []
    cases = [case for case in PAIRED if any(found[case] for found in pairs.values())]
    for run, found in pairs.items():
        for name in (n for n in SHOWN if n in found["analysis"]):
            cells = []
            for case in cases:
                change = found[case].get(name)
                cells += ["", ""] if change is None else [percent(change), verdict(change)]
            body.append([run, found["against"], words(name), *cells])
    columns = [column for case in cases for column in (f"RMSE, {case}", "harm above 1 %")]
    return markdown(["run", "against", "variable", *columns], body)


def _cell(row: Mapping[str, float] | None) -> str:
    """RMSE and, in brackets, coverage of 90 % intervals; empty where there is none."""
    if row is None:
        return ""
    return f"{row['rmse']:.3g} ({100 * row['coverage_90']:.0f} %)"


def _share(ratio: Sequence[float] | None) -> str:
    """A ratio as a difference in per cent."""
    return "" if ratio is None else percent([value - 1 for value in ratio])


def percent(change: Sequence[float]) -> str:
    """A relative difference with its interval, where there is one."""
    mean, lower, upper = (100 * value for value in change)
    bounds = f" [{lower:+.1f}, {upper:+.1f}]" if np.isfinite([lower, upper]).all() else ""
    return f"{mean:+.1f} %{bounds}"
