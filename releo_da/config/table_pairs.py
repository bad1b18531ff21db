"""The table of a run that withholds a sensor: predictions beside what another sensor saw.

The noise floor of a prediction across sensors is the pair itself: the nearest value of an
assimilated sensor in time, in the channel of the nearest wavelength, taken as it is. Its error
holds the noise of both sensors, what is left of their differences, and what a day or two changed.
Beside it stands the noise of the assimilated sensors by themselves, from their successive values,

    sd^2 = mean (y_k+1 - y_k)^2 / 2     over values at most `REPEAT_DAYS` apart,

which holds what changed in that time as well. Figures of the assimilation are means over seeds,
with the standard deviation behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from releo_da.config.table_text import markdown, over_seeds
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import summaries, within
from releo_da.runs.withhold import WithholdSensor
from releo_da.sensors import channel_of, load_sensor

Periods = Mapping[str, tuple[float, float]]
CASES = ("filtered", "smoothed")

REPEAT_DAYS = 16
"""Days between two values that are taken for one value seen twice: a cycle of Landsat."""


def pairs_table(
    seeds: Sequence[xr.Dataset], rule: WithholdSensor, periods: Periods
) -> tuple[str, dict[str, Any]]:
    """Markdown and numbers of the pairs, over all and in each period beside the predictions.

    Args:
        seeds: verification of each seed.
        rule: what was withheld.
        periods: first and last time of the scored periods by name; one, of everything, if empty.
    """
    error = pair_errors(seeds[0], rule)
    names = [str(n) for n in error.channel.values]
    floor = _floor(error)
    noise = repeated_noise(seeds[0], rule)
    others = ", ".join(sorted(set(map(str, seeds[0].sensor.values)) - {rule.sensor}))
    body = [
        [f"noise of {others} by itself", *(f"{noise[n]:.4f}" for n in names)],
        [f"the pair itself, all {_count(error)} pairs", *(f"{floor[n]:.4f}" for n in names)],
    ]
    numbers: dict[str, Any] = {"pair": floor, "noise": noise, "n": _count(error)}
    for label, (first, last) in (periods or {"all": (-np.inf, np.inf)}).items():
        part = within(error, first, last)
        if not _count(part):
            continue
        own = _floor(part)
        numbers[label] = {"pair": own, "n": _count(part)}
        title = f"{label}: the pair itself, {_count(part)} pairs"
        body.append([title, *(f"{own[n]:.4f}" for n in names)])
        for case in (c for c in CASES if c in seeds[0].case.values):
            rows = [summaries(within(one, first, last), case) for one in seeds]
            numbers[label][case] = rows
            rmse = {n: [row[n]["rmse"] for row in rows] for n in names}
            ratio = {n: np.mean(rmse[n]) / own[n] for n in names}
            bias = {n: [row[n]["bias"] for row in rows] for n in names}
            covered = {n: [row[n]["coverage_90"] for row in rows] for n in names}
            body += [
                [f"{label}: {case}, RMSE", *(over_seeds(rmse[n], 4) for n in names)],
                [f"{label}: {case}, RMSE / pair", *(f"{ratio[n]:.2f}" for n in names)],
                [f"{label}: {case}, bias", *(over_seeds(bias[n], 4) for n in names)],
                [f"{label}: {case}, 90 % coverage", *(over_seeds(covered[n], 2) for n in names)],
            ]
    head = [f"{rule.sensor} predicted from {others}", *names]
    return markdown(head, body), numbers


def pair_errors(found: xr.Dataset, rule: WithholdSensor) -> xr.DataArray:
    """Nearest value of another sensor minus the withheld value, ``[time, pixel, channel]``.

    Args:
        found: verification of a run.
        rule: what it withheld; pairs are within its calendar days.
    """
    withheld, other = _split(found, rule)
    partners = _partners(withheld, other)
    day = withheld.time.values.astype("datetime64[D]")[:, None]
    apart = np.abs((day - other.time.values.astype("datetime64[D]")).astype(float))
    distance = np.where(apart <= rule.within_days, apart, np.inf)
    there = other.notnull().any("channel").transpose("time", "pixel").values
    reach = np.where(there, distance[..., None], np.inf)  # [withheld, other, pixel]
    nearest = reach.argmin(1)
    values = other.sel(channel=partners).transpose("time", "pixel", "channel").values
    picked = values[nearest, np.arange(values.shape[1])]
    picked = np.where(np.isfinite(reach.min(1))[..., None], picked, np.nan)
    return withheld.copy(data=picked - withheld.transpose("time", "pixel", "channel").values)


def repeated_noise(found: xr.Dataset, rule: WithholdSensor) -> dict[str, float]:
    """Noise of the assimilated sensors, by the withheld channel of the nearest wavelength."""
    withheld, other = _split(found, rule)
    day = other.time.values.astype("datetime64[s]").astype(float)[:, None] / 86_400
    held = other.transpose("time", "pixel", "channel")
    values = pd.DataFrame(held.values.reshape(len(day), -1).astype(float))
    before = pd.DataFrame(np.where(values.notna(), day, np.nan)).ffill().shift()
    change = (values - values.ffill().shift()).where(day - before <= REPEAT_DAYS)
    noise = _floor(held.copy(data=change.to_numpy().reshape(held.shape)) / np.sqrt(2.0))
    names = map(str, withheld.channel.values)
    pairs = zip(names, _partners(withheld, other), strict=True)
    return {name: noise[partner] for name, partner in pairs}


def _split(found: xr.Dataset, rule: WithholdSensor) -> tuple[xr.DataArray, xr.DataArray]:
    """Values of the withheld sensor, in its channels, and of the others."""
    mine = found.sensor.values == rule.sensor
    seen = found.observed.drop_sel(channel="ndvi", errors="ignore")
    return seen.isel(time=mine).dropna("channel", how="all"), seen.isel(time=~mine)


def _partners(withheld: xr.DataArray, other: xr.DataArray) -> list[str]:
    """For each withheld channel the other sensor's channel of the nearest centre."""

    def centres(array: xr.DataArray) -> dict[str, float]:
        sensor = load_sensor(str(array.sensor.values[0]))
        held = map(str, array.dropna("channel", how="all").channel.values)
        return {name: sensor.centres[sensor.index([channel_of(name, sensor)])[0]] for name in held}

    theirs = centres(other)
    return [
        min(theirs, key=lambda name: abs(theirs[name] - centre))
        for centre in centres(withheld).values()
    ]


def _floor(error: xr.DataArray) -> dict[str, float]:
    root: Array = np.sqrt((error**2).mean(("time", "pixel")).values)
    return {str(n): float(r) for n, r in zip(error.channel.values, root, strict=True)}


def _count(error: xr.DataArray) -> int:
    return int(error.notnull().any("channel").sum())


def refusals(found: xr.Dataset, periods: Periods) -> str:
    """How many acquisitions screening refused whole, and the longest row of them, per period."""
    lines = []
    for label, (first, last) in (periods or {"all": (-np.inf, np.inf)}).items():
        part = within(found, first, last)
        used = part["mean"].sel(case="background").drop_sel(channel="ndvi", errors="ignore")
        used = used.notnull()
        refused = (part.rejected > 0).sel(channel=used.channel)
        whole = (used.any("channel") & ~(used & ~refused).any("channel")).values
        seen = used.any("channel").values
        text = f"{label}: {int(whole.sum())} of {int(seen.sum())} acquisitions refused whole"
        start, length = longest(seen[:, 0], whole[:, 0]) if whole.shape[1] == 1 else (0, 0)
        if length > 1:
            dates = part.time.values[seen[:, 0]].astype("datetime64[D]")
            text += (
                f", {length} of them in a row from {dates[start]} to {dates[start + length - 1]}"
            )
        lines.append(text)
    return "Screening: " + "; ".join(lines) + "."


def longest(seen: Array, refused: Array) -> tuple[int, int]:
    """Start and length of the longest row of refused dates among the seen ones of a pixel."""
    best, run = (0, 0), 0
    for place, wrong in enumerate(refused[seen]):
        run = run + 1 if wrong else 0
        if run > best[1]:
            best = place - run + 1, run
    return best
