"""What a hurried reader takes home from a twin: does assimilation pay, are its intervals honest?

Judged is the estimate that analysis.nc holds: the smoothed one where there is a smoother, else the
analysis; of the analysis, from which forecasts start, a sentence says how it differs. With several
seeds a gain is the geometric mean of those of single seeds, the centre of the interval beside it.

Every sentence follows from numbers of scores.json: shares of the RMSE that are gone (``skill``),
90 % coverage, and for coverage more than 5 % from what is honest what the numbers say of the
reason. Honest are 90 %, or the (N - 1) / (N + 1) between the first and the last of N < 19 members:

    |bias| > 0.6 rmse      most of the error is one that lasts, which no spread is meant for
    spread < 0.8 rmse      the ensemble is narrower than its error
    spread > rmse / 0.8    it is wider
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from releo_da.diagnostics.calibration import widest
from releo_da.diagnostics.plots.style import words

FIRST = ("lai", "cab", "cw", "soil_moisture", "fapar", "ndvi")
"""Variables that are told one by one, those of them that a run has."""

AWAY = 0.05
"""How far from honest a coverage may be."""

ESTIMATES = {"smoothed": "smoothed estimate", "analysis": "analysis"}
"""What analysis.nc may hold, in words."""

EVEN = 0.02
"""Gains up to this share of the error are called none."""


def verdict(scores: Mapping[str, Any], members: int | None = None) -> list[str]:
    """Sentences, most important first; none without the key ``skill``.

    Args:
        scores: scores.json.
        members: size of the ensemble; where it is not given, at least 19.
    """
    against = scores.get("skill", {})
    if not against.get("free_run", {}).get("analysis"):
        return []
    case = delivered(scores)
    held = scores[case]
    state = [name for name in held if not name[:1].isupper()]
    told = [name for name in FIRST if name in held] or state[:4]
    said = [
        f"Does assimilation pay? Error (RMSE) of the {ESTIMATES[case]}, which analysis.nc holds, "
        "against that of the same model without observations (below 0 it is smaller): "
        f"{changes(scores, 'free_run', told, case)}."
    ]
    if against.get("retrieval", {}).get(case):
        said.append(
            "Against a retrieval from each date by itself, where it was clear: "
            f"{changes(scores, 'retrieval', told, case)}. Under cloud there is no retrieval."
        )
    said.append(without_gain(scores, state, case))
    said.append(honesty(held, told, case, members))
    if case != "analysis":
        said.append(analysed(scores, told))
    lost = [n for n, row in scores.get("divergence", {}).get("analysis", {}).items()
            if row["diverged"] and n in state]  # fmt: skip
    if lost:
        said.append(
            f"The filter has lost the truth of {listed(lost)}: the error was over 3 times the "
            "spread for 5 acquisitions in a row, or not finite."
        )
    return [sentence for sentence in said if sentence]


def delivered(scores: Mapping[str, Any]) -> str:
    """Which estimate analysis.nc holds."""
    smooth = scores.get("smoothed") and scores["skill"]["free_run"].get("smoothed")
    return "smoothed" if smooth else "analysis"


def changes(scores: Mapping[str, Any], rival: str, names: Sequence[str], case: str) -> str:
    """Change of the RMSE of an estimate against a rival, variable by variable."""
    return ", ".join(
        f"{words(n)} {changed(gain(scores, rival, n, case))}{over_seeds(scores, rival, n, case)}"
        for n in names
        if known(gain(scores, rival, n, case))
    )


def analysed(scores: Mapping[str, Any], names: Sequence[str]) -> str:
    """The analysis in short, where products are smoothed."""
    rows = scores["analysis"]
    parts = [
        f"{words(n)} {changed(gain(scores, 'free_run', n, 'analysis'))} "
        f"({100 * rows[n]['coverage_90']:.0f} %)"
        for n in names
        if known(gain(scores, "free_run", n, "analysis"))
    ]
    return (
        "Forecasts start from the analysis, which knows no later observation. Change of its error, "
        f"and what its 90 % intervals hold: {', '.join(parts)}."
    )


def gain(scores: Mapping[str, Any], rival: str, name: str, case: str) -> float | None:
    """Share of the rival's error that is gone; over seeds the centre of its interval."""
    bounds = ratio(scores, rival, name, case)
    if bounds is not None:
        return 1.0 - bounds[0]
    found: float | None = scores["skill"][rival][case].get(name, {}).get("rmse")
    return found


def ratio(scores: Mapping[str, Any], rival: str, name: str, case: str) -> Sequence[float] | None:
    """Share of the rival's error with its interval over seeds, where the run has several."""
    held = scores.get("repeats", {}).get("ratio", {}).get(rival, {})
    bounds: Sequence[float] | None = held.get(case, {}).get(name)
    return bounds if bounds and all(map(known, bounds)) else None


def without_gain(scores: Mapping[str, Any], names: Sequence[str], case: str) -> str:
    """Where it does not pay."""
    found = {n: gain(scores, "free_run", n, case) for n in names}
    lost = {n: one for n, one in found.items() if one is not None and one <= EVEN}
    if not lost:
        return "Every variable of the state is better known with the observations than without."
    parts = [f"{words(n)} ({changed(lost[n])})" for n in sorted(lost, key=lambda n: lost[n])]
    return (
        f"Where it does not pay: {', '.join(parts)}. There the observations do not tell the "
        "variable apart from others, or the model that reads them differs from the truth."
    )


def honesty(
    rows: Mapping[str, Any], names: Sequence[str], case: str, members: int | None = None
) -> str:
    """Whether 90 % intervals hold what they promise, and why not."""
    honest = 0.9 if members is None else min(0.9, widest(members))
    low, high = honest - AWAY, honest + AWAY
    good, bad = [], []
    for name in names:
        share = rows[name]["coverage_90"]
        text = f"{words(name)} {100 * share:.0f} %"
        if low <= share <= high:
            good.append(text)
        else:
            bad.append(f"{text} ({reason(rows[name], high)})")
    range_ = f"of {100 * low:.0f} to {100 * high:.0f} %"
    inside = f"inside {range_}: {', '.join(good)}" if good else f"none inside {range_}"
    outside = f"; outside: {', '.join(bad)}" if bad else ""
    few = (
        f" Those of {members} members run from the first to the last of them and hold "
        f"{100 * honest:.0f} % where they are honest."
        if honest < 0.9
        else ""
    )
    return (
        f"Are the 90 % intervals of the {ESTIMATES[case]} honest? Share of truths in them, "
        f"{inside}{outside}.{few}"
    )


def reason(row: Mapping[str, float], high: float = 0.95) -> str:
    """What the numbers of a row say of a coverage that is not honest; ``high`` is the most."""
    error, spread, bias = row["rmse"], row["spread"], row["bias"]
    if row["coverage_90"] > high:
        return "spread larger than the error" if spread > error else "few errors are large"
    if abs(bias) > 0.6 * error:
        return f"mostly a bias: estimates {'above' if bias > 0 else 'below'} the truth"
    if spread < 0.8 * error:
        return f"spread only {100 * spread / error:.0f} % of the error"
    return "spread right on average, but too small where errors are large"


def over_seeds(scores: Mapping[str, Any], rival: str, name: str, case: str) -> str:
    """The interval of a gain over seeds, where the run has several."""
    bounds = ratio(scores, rival, name, case)
    if bounds is None:
        return ""
    low, high = (f"{100 * (one - 1):+.0f}".replace("-", "−") for one in bounds[1:])
    return f" (95 % over seeds: {low} to {high} %)"


def changed(share: float | None) -> str:
    """A gain as the change of the error in per cent."""
    percent = -100 * (share or 0.0)
    return "no change" if abs(percent) < 0.5 else f"{percent:+.0f} %".replace("-", "−")


def listed(names: Sequence[str]) -> str:
    """Names in words."""
    return ", ".join(map(words, names))


def known(value: float | None) -> bool:
    """Whether a number of scores.json is one."""
    return value is not None and value == value
