"""Tables of what a twin says of itself: gains, seeds, where it was clear, calibration, channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from releo_da.diagnostics.calibration import widest
from releo_da.diagnostics.cells import Cell, Table
from releo_da.diagnostics.naming import NAMES, Naming, naming
from releo_da.diagnostics.plots.skill import number
from releo_da.diagnostics.plots.style import words

SHOWN = ("lai", "cab", "cw", "soil_moisture")
"""Variables of the table of channels."""

FAITHFUL = (0.5, 2.0)
"""Channels whose impacts add up to such a share of the change may be ranked by them."""


def twin_tables(
    scores: Mapping[str, Any], members: int | None = None, units: Mapping[str, str] | None = None
) -> list[Table]:
    """Those that scores.json has the parts of.

    Args:
        scores: scores.json.
        members: size of the ensemble, where it is known.
        units: of variables, where they are known.
    """
    found, named = [], naming(scores, units)
    if "retrieval" in scores.get("seen", {}):
        found.append(seen_table(scores["seen"], named))
    if scores.get("repeats"):
        found.append(repeats_table(scores["repeats"], named))
    if scores.get("calibration", {}).get("analysis"):
        held = scores["calibration"]["analysis"]
        found.append(calibration_table(held, scores.get("analysis", {}), members, named))
    if scores.get("multivariate"):
        found.append(vector_table(scores["multivariate"]))
    rows_of = scores.get("impact", {})
    return found + [impact_table(name, rows, named) for name, rows in rows_of.items()]


def ordered(names: Sequence[str]) -> list[str]:
    """Variables first, then channels, whose names begin with a capital letter."""
    return sorted(names, key=lambda name: name[:1].isupper())


def seen_table(held: Mapping[str, Any], named: Naming = NAMES) -> Table:
    """RMSE of every estimate where the acquisition saw something."""
    rows = []
    for name in ordered(list(held["retrieval"])):
        values = [number(part.get(name, {}).get("rmse")) for part in held.values()]
        least = min((v for v in values if v == v), default=float("nan"))
        rows.append((named.measured(name), [Cell(plain(v), v == least) for v in values]))
    note = (
        "At the pixels and dates that an acquisition saw. Retrieval: that acquisition alone, "
        "without memory. Bold: best of the row."
    )
    if "network" in held:
        note += " Network: what the weights of score.network read from that acquisition."
    return Table("Where it was clear: RMSE", note, ["", *map(words, held)], rows)


def repeats_table(held: Mapping[str, Any], named: Naming = NAMES) -> Table:
    """RMSE over seeds, and as a share of rivals', with 95 % intervals."""
    ratio = held.get("ratio", {})
    rmse = held["intervals"].get("analysis", {})
    rows = []
    for name in ordered(list(rmse)):
        shares = [ratio.get(r, {}).get("analysis", {}).get(name) for r in ("free_run", "retrieval")]
        told = [rmse[name]["rmse"], *shares]
        rows.append((named.measured(name), [Cell(spanned(one)) for one in told]))
    note = (
        f"Of {len(held['per_seed'])} seeds, each with a truth of its own: mean and 95 % interval "
        "(Student's t), which takes seeds as independent: over a land they share a few years of "
        "weather. Shares are of the RMSE, geometric means over seeds with intervals of their "
        "logarithms; below 1 the analysis is better."
    )
    columns = ["", "RMSE of the analysis", "share of the free run", "share of the retrieval"]
    return Table("The analysis over seeds", note, columns, rows)


def calibration_table(
    held: Mapping[str, Any],
    scored: Mapping[str, Any],
    members: int | None = None,
    named: Naming = NAMES,
) -> Table:
    """Coverage at four levels, and whether spread and ranks mean something.

    Args:
        held: ``calibration`` of an estimate in scores.json.
        scored: rows of the same estimate, whose ``coverage_90`` is that of all tables.
        members: size of the ensemble; levels beyond its first and last member are left out.
        named: names of the run.
    """
    levels = ("50", "80", "90", "95")
    most = 1.0 if members is None else widest(members) + 1e-9
    rows = []
    for name in ordered(list(held)):
        row, flat = held[name], held[name]["flatness"]
        shares = {p: number(row["intervals"][p]) if float(p) <= 100 * most else float("nan")
                  for p in levels}  # fmt: skip
        shares["90"] = number(scored.get(name, {}).get("coverage_90", shares["90"]))
        cells = [Cell(share_text(shares[p])) for p in levels]
        cells.append(Cell(f"{number(row['spread_skill_slope']):.2f}"))
        cells += [Cell(f"{number(flat[k]):.2f}") for k in ("reliability_index", "expected")]
        rows.append((named.text(name), [*cells, Cell(str(flat["n"]))]))
    note = (
        "Share of truths inside central intervals of the analysis; slope of log error on log "
        "spread (1 good, 0 the spread says nothing); reliability index of the ranks of a thinned "
        "sample of n values, beside what chance gives a calibrated ensemble."
    )
    if members is not None and most < 0.9:
        note += (
            f" {members} members end at {100 * most:.0f} %: their 90 % interval runs from the "
            f"first to the last of them and is honest where it holds {100 * most:.0f} %; of wider "
            "ones they say nothing."
        )
    columns = ["", *(f"{p} % interval" for p in levels), "slope", "index", "by chance", "n"]
    return Table("Calibration of the analysis", note, columns, rows)


def vector_table(held: Mapping[str, Any]) -> Table:
    """Energy and variogram score of all variables of a pixel together, of each estimate."""
    ahead = {f"{lead} days ahead": row for lead, row in held.get("forecast", {}).items()}
    parts = {words(case): row for case, row in held.items() if case != "forecast"} | ahead
    keys = ("energy", "variogram")
    rows = [
        (name, [*(Cell(plain(number(row[key]))) for key in keys), Cell(str(row["n"]))])
        for name, row in parts.items()
    ]
    note = (
        "Of the variables of a pixel as one vector, each in units of the deviation of its prior; "
        "lower is better. Energy score: the CRPS of a vector. Variogram score: whether members "
        "vary together as the truth does. Of a thinned sample of n vectors; forecasts are of fewer "
        "dates, so compare estimates with each other."
    )
    return Table("Variables together", note, ["", "energy score", "variogram score", "n"], rows)


def impact_table(sensor: str, held: Mapping[str, Any], named: Naming = NAMES) -> Table:
    """Change of the squared error of some variables by each channel of a sensor."""
    names = [n for n in SHOWN if n in held]
    names = names or [n for n in held if n != "observations"][:4]
    channels = list(dict.fromkeys(c for n in names for c in held[n]["channels"]))
    rows = []
    for channel in channels:
        parts = [held[n]["channels"].get(channel, {}) for n in names]
        cells = [Cell(signed(number(part.get("impact")))) for part in parts]
        rows.append((channel, [*cells, Cell(str(max(part.get("n", 0) for part in parts)))]))
    totals = [sum(number(one["impact"]) for one in held[n]["channels"].values()) for n in names]
    rows.append(("all channels", [*(Cell(signed(total)) for total in totals), Cell("")]))
    told = [Cell(signed(number(held[n]["change"]))) for n in names]
    rows.append(("seen in the error", [*told, Cell("")]))
    note = (
        "Mean change of the squared error per analysed pixel: below 0 the channel took error away. "
        "The last row is the change that the errors show. The sum above it would meet it if the "
        "observation operator were linear."
    )
    if doubts := [d for n in names if (d := doubted(named.text(n), held[n]))]:
        note += f" Channels are not to be ranked for {'; '.join(doubts)}."
    return Table(f"Channels of {sensor}", note, ["", *map(named.squared, names), "n"], rows)


def doubted(name: str, row: Mapping[str, Any]) -> str:
    """Why the channels of a variable are not to be ranked; nothing where they may be.

    Args:
        name: of the variable.
        row: of `releo_da.assimilation.impact.impact_rows`.
    """
    share = number(row.get("explained", 1.0))  # runs of an earlier version may lack it
    if share != share:
        return f"{name} (what single pixels gain and lose nearly cancels)"
    if FAITHFUL[0] <= share <= FAITHFUL[1]:
        return ""
    return f"{name} (they add up to {share:.2g} of the change)".replace("-", "−")


def share_text(share: float) -> str:
    """A share in per cent, a dash for nothing."""
    return "–" if share != share else f"{100 * share:.0f} %"


def plain(value: float) -> str:
    """Three significant digits, a dash for nothing."""
    return "–" if value != value else f"{value:.3g}"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, a dash for nothing."""
    return "–" if value != value else f"{value:+.{digits}g}".replace("-", "−")


def spanned(bounds: Sequence[float | None] | None) -> str:
    """A mean and its interval."""
    if bounds is None:
        return "–"
    mean, low, high = map(number, bounds)
    return plain(mean) if low != low else f"{mean:.3g} ({low:.3g} to {high:.3g})"
