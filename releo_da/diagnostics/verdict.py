"""What a hurried reader takes home from a twin: does assimilation pay, are its intervals honest?

Every sentence follows from numbers of scores.json: shares of the RMSE that are gone (``skill``),
90 % coverage, and for coverage outside of 85 to 95 % what the numbers say of the reason:

    |bias| > 0.6 rmse      most of the error is one that lasts, which no spread is meant for
    spread < 0.8 rmse      the ensemble is narrower than its error
    spread > rmse / 0.8    it is wider
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from releo_da.diagnostics.plots.style import words

FIRST = ("lai", "cab", "cw", "soil_moisture", "fapar", "ndvi")
"""Variables that are told one by one, those of them that a run has."""

HONEST = (0.85, 0.95)
"""What a 90 % interval may hold."""

EVEN = 0.02
"""Gains up to this share of the error are called none."""


def verdict(scores: Mapping[str, Any]) -> list[str]:
    """Sentences, most important first; none without the key ``skill``."""
    against = scores.get("skill", {})
    if not against.get("free_run", {}).get("analysis"):
        return []
    held = scores["analysis"]
    state = [name for name in held if not name[:1].isupper()]
    told = [name for name in FIRST if name in held] or state[:4]
    said = [
        "Does assimilation pay? Error (RMSE) of the analysis against that of the same model "
        f"without observations (below 0 it is smaller): {changes(scores, 'free_run', told)}."
    ]
    if against.get("retrieval", {}).get("analysis"):
        said.append(
            "Against a retrieval from each date by itself, where it was clear: "
            f"{changes(scores, 'retrieval', told)}. Under cloud there is no retrieval."
        )
    said.append(without_gain(against["free_run"]["analysis"], state))
    said.append(honesty(held, told))
    lost = [n for n, row in scores.get("divergence", {}).get("analysis", {}).items()
            if row["diverged"] and n in state]  # fmt: skip
    if lost:
        said.append(
            f"The filter has lost the truth of {listed(lost)}: the error was over 3 times the "
            "spread for 5 acquisitions in a row, or not finite."
        )
    return [sentence for sentence in said if sentence]


def changes(scores: Mapping[str, Any], rival: str, names: Sequence[str]) -> str:
    """Change of the RMSE of the analysis against a rival, variable by variable."""
    gains = scores["skill"][rival]["analysis"]
    return ", ".join(
        f"{words(n)} {changed(gains[n]['rmse'])}{over_seeds(scores, rival, n)}"
        for n in names
        if known(gains.get(n, {}).get("rmse"))
    )


def without_gain(gains: Mapping[str, Any], names: Sequence[str]) -> str:
    """Where it does not pay."""
    lost = [n for n in names if known(gains.get(n, {}).get("rmse")) and gains[n]["rmse"] <= EVEN]
    if not lost:
        return "Every variable of the state is better known with the observations than without."
    worst = sorted(lost, key=lambda n: gains[n]["rmse"])
    parts = [f"{words(n)} ({changed(gains[n]['rmse'])})" for n in worst]
    return (
        f"Where it does not pay: {', '.join(parts)}. There the observations do not tell the "
        "variable apart from others, or the model that reads them differs from the truth."
    )


def honesty(rows: Mapping[str, Any], names: Sequence[str]) -> str:
    """Whether 90 % intervals hold what they promise, and why not."""
    good, bad = [], []
    for name in names:
        share = rows[name]["coverage_90"]
        text = f"{words(name)} {100 * share:.0f} %"
        if HONEST[0] <= share <= HONEST[1]:
            good.append(text)
        else:
            bad.append(f"{text} ({reason(rows[name])})")
    inside = f"inside of 85 to 95 %: {', '.join(good)}" if good else "none inside of 85 to 95 %"
    outside = f"; outside: {', '.join(bad)}" if bad else ""
    return (
        "Are the 90 % intervals of the analysis honest? Share of truths in them, "
        f"{inside}{outside}."
    )


def reason(row: Mapping[str, float]) -> str:
    """What the numbers of a row say of a coverage that is not 90 %."""
    error, spread, bias = row["rmse"], row["spread"], row["bias"]
    if row["coverage_90"] > HONEST[1]:
        return "spread larger than the error" if spread > error else "few errors are large"
    if abs(bias) > 0.6 * error:
        return f"mostly a bias: estimates {'above' if bias > 0 else 'below'} the truth"
    if spread < 0.8 * error:
        return f"spread only {100 * spread / error:.0f} % of the error"
    return "spread right on average, but too small where errors are large"


def over_seeds(scores: Mapping[str, Any], rival: str, name: str) -> str:
    """The interval of a gain over seeds, where the run has several."""
    held = scores.get("repeats", {}).get("ratio", {}).get(rival, {})
    bounds = held.get("analysis", {}).get(name)
    if not bounds or not known(bounds[1]):
        return ""
    low, high = (100 * (ratio - 1) for ratio in bounds[1:])
    return f" (95 % over seeds: {low:+.0f} to {high:+.0f} %)"


def changed(gain: float) -> str:
    """A gain as the change of the error in per cent."""
    percent = -100 * gain
    return "no change" if abs(percent) < 0.5 else f"{percent:+.0f} %".replace("-", "−")


def listed(names: Sequence[str]) -> str:
    """Names in words."""
    return ", ".join(map(words, names))


def known(value: float | None) -> bool:
    """Whether a number of scores.json is one."""
    return value is not None and value == value
