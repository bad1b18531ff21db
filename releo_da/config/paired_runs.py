"""Finished runs in pairs, each with the first: which differences there are, and what they hold for.

Products are paired on the dates that all runs have beside one truth, records on the values that two
runs share, repeated twins over their seeds, toy models over replicates; the last two take the place
of pixels where there are several (`releo_da.diagnostics.differences`). Notes say what was left out,
and over what an interval is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from releo_da.config.comparable import Opened, place_units, scored_from, since, units_of
from releo_da.config.finished import compared
from releo_da.diagnostics.comparison import (
    USED,
    Estimates,
    common_dates,
    flat,
    paired_products,
    paired_records,
    same_truth,
)
from releo_da.diagnostics.differences import (
    FEWEST,
    UNSURE,
    Difference,
    paired_replicates,
    paired_seeds,
)
from releo_da.diagnostics.plots.products import variables


def on_common_dates(runs: Mapping[str, Opened]) -> tuple[dict[str, Estimates], bool]:
    """Products beside the truth where all runs have both, and whether it is one truth."""
    held = [one.estimates for one in runs.values()]
    if not all(held):
        return {}, False
    cut = common_dates([one for one in held if one is not None])
    first, *others = (one.truth for one in cut)
    alike = bool(first.sizes["time"]) and all(
        same_truth(flat(one[name]), flat(first[name]))
        for one in others
        for name in variables(first)
        if name in one
    )
    return dict(zip(runs, cut, strict=True)), alike


def paired(
    runs: Mapping[str, Opened], estimates: Mapping[str, Estimates], seed: int
) -> tuple[dict[str, list[Difference]], list[str], dict[str, xr.Dataset]]:
    """Differences of each run against the first, what to know of them, and records of hindcasts."""
    (first, one), *others = runs.items()
    theirs = scored_records(one)
    found: dict[str, list[Difference]] = {}
    notes: list[str] = []
    kept = {} if theirs is None or estimates else {first: theirs}
    for name, other in others:
        generator = np.random.default_rng(seed)
        listed: list[Difference] = []
        ours = scored_records(other)
        if estimates and "replicates" not in one.run.scores:
            listed += paired_products(
                estimates[name], estimates[first], place_units(one), generator
            )
        share = float("nan")
        other_truths: tuple[str, ...] = ()
        if ours is not None and theirs is not None:
            units = units_of(one, theirs.pixel.values)
            records, share, other_truths = paired_records(
                ours, theirs, units, generator, "free_run" in one.run.scores
            )
            notes += record_notes(name, first, ours, theirs, share)
            listed += records
            if not estimates:
                kept[name] = ours
        better = paired_seeds(other.run.scores, one.run.scores, other_truths) if listed else []
        if not listed and paired_seeds(other.run.scores, one.run.scores):
            notes.append(
                f"Seeds of {name} and {first} are not paired: the first seeds of the two are not "
                "of one truth, as far as their files say. A ratio of two landscapes says nothing "
                "of the runs; give both the same land and the same first seed"
            )
        if share == 1.0 and scored_from(one.values) == scored_from(other.values):
            better += paired_replicates(other.run.scores, one.run.scores, generator)
        found[name] = instead(listed, better)
        notes += over_notes(name, found[name])
    return found, notes, kept


def scored_records(one: Opened) -> xr.Dataset | None:
    """Records of the scored time."""
    said = compared(one.run, USED)
    return None if said is None else since(said, scored_from(one.values))


def instead(listed: Sequence[Difference], better: Sequence[Difference]) -> list[Difference]:
    """Differences with those over seeds or replicates in the place of those over pixels."""
    held = {(one.case, one.variable, one.score): one for one in (*listed, *better)}
    return list(held.values())


def record_notes(
    name: str, first: str, ours: xr.Dataset, theirs: xr.Dataset, share: float
) -> list[str]:
    """What a reader should know of the values that are paired."""
    common = np.intersect1d(ours.time, theirs.time).size
    notes = []
    sizes = ours.sizes["time"], theirs.sizes["time"]
    if {*sizes} != {common}:
        notes.append(
            f"{name} and {first} have {common} acquisitions in common, of {sizes[0]} and "
            f"{sizes[1]}: records are paired on those alone, dates on which both saw something. "
            "Products are paired on all their dates, and further acquisitions pay most between "
            "those in common, so the changes of the two are of different size"
        )
    if share != share:
        notes.append(f"{name} and {first} have no record in common")
    elif share == 0.0:
        notes.append(
            f"{name} and {first} were scored on other values throughout (another truth, or other "
            "observations): their records are not paired"
        )
    elif share < 1.0:
        notes.append(
            f"{100 * (1 - share):.2g} % of the values that {name} and {first} have at common dates "
            "and pixels are not the same and are left out"
        )
    return notes


def over_notes(name: str, listed: Sequence[Difference]) -> list[str]:
    """What the intervals of a run are over, and what follows."""
    over = dict.fromkeys(one.over for one in listed if one.verdict != UNSURE)
    notes = []
    if any(what not in ("seeds", "replicates") for what in over):
        held = " and ".join(what for what in over if what not in ("seeds", "replicates"))
        notes.append(
            f"Intervals of {name} over {held} hold for this truth and period; how much another "
            "season or landscape would change them is said by repeats over seeds alone"
        )
    large = [one.over for one in listed if one.over.startswith("blocks") and one.verdict == UNSURE]
    if large:
        notes.append(
            f"{name}: no interval over {' and '.join(dict.fromkeys(large))}, of which there are "
            f"fewer than {FEWEST}: pixels of a field are no independent samples. Repeat both runs "
            "over seeds (score.repeats), or take a larger landscape"
        )
    if "seeds" in over:
        notes.append(
            f"Intervals of {name} over seeds are of the scores of each seed, each run on its own "
            "acquisitions"
        )
    if not listed:
        notes.append(f"{name}: nothing could be paired, so no difference is given")
    return notes
