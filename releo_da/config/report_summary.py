"""What a hurried reader of a report should take home, in sentences made of scores.json."""

from __future__ import annotations

from typing import Any

from releo_da.diagnostics.plots.style import words
from releo_da.diagnostics.tables import ABSENT
from releo_da.diagnostics.verdict import verdict


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
