"""What a twin says of its ensemble and of its channels, drawn from the sums in scores.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from releo_da.diagnostics.calibration import widest
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.skill import number
from releo_da.diagnostics.reliability import intervals

FEWEST = 10
"""Values of a bin of the spread that is drawn."""

NARROW = 60.0
"""Ratio of the ends of a logarithmic axis up to which more than powers of ten are labelled."""

WIDTHS = tuple((np.arange(20) + 1) / 20)
"""Levels of the intervals of a reliability diagram."""


def coverages(row: Mapping[str, Any], members: int) -> tuple[style.Array, style.Array]:
    """Nominal and observed coverage (percent) of central intervals, from the bins of the PIT.

    Levels end at the interval from the first to the last member, (N - 1) / (N + 1).
    """
    told = tuple(level for level in WIDTHS if level <= widest(members) + 1e-9)
    nominal, observed = intervals(row["pit"], told)
    return 100.0 * nominal, 100.0 * observed


def panels(names: Sequence[str], **options: Any) -> tuple[Figure, style.Array]:
    """A figure with a panel per variable, three in a row."""
    columns = min(len(names), 3)
    return style.figure(-(-len(names) // columns), columns, 2.6, **options)


def reliability(
    rows: Mapping[str, Mapping[str, Any]], names: Sequence[str], members: int
) -> Figure:
    """Observed against nominal coverage: a panel per variable, a curve per estimate.

    Args:
        rows: ``calibration`` of scores.json, by case.
        names: of the variables.
        members: size of the ensemble, at whose widest interval curves end.
    """
    made, axes = panels(names, sharex=True, sharey=True)
    for one, name in zip(axes.flat, names, strict=False):
        one.axhspan(85, 95, color="#000000", alpha=0.07, linewidth=0)
        one.plot([0, 100], [0, 100], "--", color=style.FAINT, linewidth=1)
        for case, held in rows.items():
            if name in held:
                colour, _ = style.colour(case, ["free_run"])
                text = style.words(case)
                one.plot(*coverages(held[name], members), color=colour, linewidth=1.6, label=text)
        one.plot([90, 90], [85, 95], color=style.INK, linewidth=2.2)
        one.set(xlim=(0, 100), ylim=(0, 100))
        style.name_axes(one, title=style.words(name))
    finish(axes, len(names), "nominal coverage (%)", "observed (%)")
    style.legend_above(made, axes.flat[:1])
    return made


def spread_skill(
    rows: Mapping[str, Mapping[str, Any]], names: Sequence[str], units: Mapping[str, str]
) -> Figure:
    """RMSE against predicted spread, bins of the spread: a panel per variable.

    Args:
        rows: ``calibration`` of scores.json, by case.
        names: of the variables.
        units: of the variables, where known.
    """
    made, axes = panels(names)
    for one, name in zip(axes.flat, names, strict=False):
        held = {
            case: filled(said[name]["spread_skill"]) for case, said in rows.items() if name in said
        }
        parts = [np.array([r["spread"], r["rmse"]], float) for r in held.values()]
        known = np.concatenate(parts, 1)
        known = known[np.isfinite(known) & (known > 0)]
        ends = (0.7 * known.min(), 1.4 * known.max()) if known.size else (0.1, 1.0)
        one.plot(ends, ends, "--", color=style.FAINT, linewidth=1)
        for case, row in held.items():
            n = np.asarray(row["n"], float)
            line = row["spread"], row["rmse"]
            paint: dict[str, Any] = {"color": style.colour(case, ["free_run"])[0]}
            one.plot(*line, linewidth=0.8, **paint)
            one.scatter(*line, 8 + 50 * n / n.sum(), label=style.words(case), zorder=3, **paint)
        one.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        for axis in (one.xaxis, one.yaxis):
            # 1, 2 and 5 of each power of ten, so that less than a power has a scale as well.
            near = ends[1] / ends[0] < NARROW
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if near else (1.0,)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        unit = style.written(units.get(name, ""))
        style.name_axes(one, title=style.label(style.words(name), unit))
    finish(axes, len(names), "predicted spread", "RMSE")
    style.legend_above(made, axes.flat[:1])
    return made


def filled(row: Mapping[str, Any]) -> dict[str, style.Array]:
    """Bins of a spread-skill relation that hold enough values to say something."""
    n = np.asarray(row["n"], float)
    enough = n >= min(FEWEST, n.max(initial=0.0))
    return {key: np.array(row[key], float)[enough] for key in ("spread", "rmse", "n")}


def impact(
    rows: Mapping[str, Mapping[str, Any]], names: Sequence[str], units: Mapping[str, str]
) -> Figure:
    """Change of the squared error by each channel: a row per sensor, a panel per variable.

    Args:
        rows: ``impact`` of scores.json, by sensor.
        names: of the variables.
        units: of the variables, where known.
    """
    longest = max(len(r[n]["channels"]) for r in rows.values() for n in names if n in r)
    made, axes = style.figure(len(rows), len(names), 0.8 + 0.17 * longest)
    for line, (sensor, said) in zip(axes, rows.items(), strict=True):
        for k, (one, name) in enumerate(zip(line, names, strict=True)):
            held = said.get(name, {}).get("channels", {})
            values = [number(row["impact"]) for row in held.values()]
            colours = [style.COLOURS["analysis" if v < 0 else "smoothed"] for v in values]
            one.barh(list(held), values, color=colours)
            one.invert_yaxis()
            one.axvline(0, color=style.INK, linewidth=0.8)
            one.grid(False, axis="y")
            one.tick_params(labelsize=7)
            one.ticklabel_format(axis="x", style="sci", scilimits=(-2, 3))
            one.locator_params(axis="x", nbins=3)
            unit = style.written(units.get(name, ""))
            title = f"{sensor}: {style.words(name)}" if k == 0 else style.words(name)
            style.name_axes(one, title=title)
            one.set_xlabel(f"({unit})²" if unit else "", fontsize=8, loc="left")
            one.xaxis.get_offset_text().set_fontsize(7)
    made.supxlabel("change of the squared error", fontsize=8.5, color=style.INK)
    return made


def seen(scores: Mapping[str, Any], names: Sequence[str]) -> Figure:
    """RMSE where an acquisition saw something, as a share of the free run's: bars by estimate."""
    held = {case: rows for case, rows in scores["seen"].items() if case != "free_run"}
    free = scores["seen"]["free_run"]
    alone = {"retrieval": style.COLOURS["withheld"], "network": style.COLOURS["encoder"]}
    colours = alone | style.COLOURS
    made, axes = style.figure(1, 1, 0.9 + 0.16 * len(names) * len(held))
    one = axes[0, 0]
    width = 0.8 / len(held)
    for k, (case, rows) in enumerate(held.items()):
        at = np.arange(len(names)) + (k - (len(held) - 1) / 2) * width
        share = [number(rows.get(n, {}).get("rmse")) / free[n]["rmse"] for n in names]
        one.barh(at, share, width, color=colours[case], label=style.words(case))
    one.axvline(1.0, color=style.INK, linewidth=0.8)
    one.set_yticks(range(len(names)), [style.words(n) for n in names])
    one.invert_yaxis()
    one.grid(False, axis="y")
    style.name_axes(one, x="RMSE / RMSE of the free run, at pixels and dates that were seen")
    style.legend_above(made, [one])
    return made


def finish(axes: style.Array, count: int, x: str, y: str) -> None:
    """Labels at the outer panels; those without a variable are hidden."""
    columns = axes.shape[1]
    for k, one in enumerate(axes.flat):
        one.set_visible(k < count)
        if k + columns >= count:
            one.set_xlabel(x, fontsize=8.5)
            one.tick_params(labelbottom=True)
        if k % columns == 0:
            one.set_ylabel(y, fontsize=8.5)
