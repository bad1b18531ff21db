"""What a run would read: a summary of the series and everything that is odd about it.

    sources    per file: sensors, dates, pixels, share of clear values
    channels   per sensor and channel: how many values, from which to which
    angles     per sensor: where sun and sensor stood
    auxiliary  per static field and element of weather: from which to which, and its days
    findings   what is odd, its likely cause, and what a run does about it

Nothing here forecasts or analyses, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.io.auxiliary import FIELDS
from releo_da.io.elements import ELEMENTS
from releo_da.io.geometry import sun_position
from releo_da.io.series import Series
from releo_da.io.times import isoformat
from releo_da.types import Acquisition, Weather

REFUSED, MENDED, LEFT_OUT, KEPT = "a run ends", "mended", "left out", "used as it is"
"""What a run does about a finding."""

GAP = 60.0
"""Days without an acquisition that are worth a remark."""

CLOUDY = 0.5
"""Share of a date's pixels, suspiciously bright, by which the date is named."""

APART = 10.0
"""Degrees between the sun of the file and the sun of the almanac that are worth a remark."""


class Noted(NamedTuple):
    """Something that was found.

    Attributes:
        what: in one or two words.
        treatment: `REFUSED`, `MENDED`, `LEFT_OUT` or `KEPT`.
        message: where and how much, with the likely cause.
    """

    what: str
    treatment: str
    message: str


class Inspection(NamedTuple):
    """What was found in all sources of a run.

    Attributes:
        sources: rows of the table of files.
        channels: rows of the table of channels.
        angles: rows of the table of angles.
        auxiliary: rows of the table of static fields and weather.
        findings: what is odd.
    """

    sources: list[dict[str, Any]]
    channels: list[dict[str, Any]]
    angles: list[dict[str, Any]]
    auxiliary: list[dict[str, Any]]
    findings: list[Noted]


def inspection(series: Series, bright: Tensor, judged: Tensor, screened: bool) -> Inspection:
    """The summary of a series as a run would take it.

    Args:
        series: joined, offsets mended, duplicates dropped.
        bright: ``[time, pixel]`` bool, brighter than the dates before and after.
        judged: ``[time, pixel]`` bool, where that could be told.
        screened: whether the run screens what is implausible.
    """
    found = [*of_log(series.log), *_gaps(series.acquisitions)]
    found += _brightness(series.acquisitions, bright, judged, screened)
    found += _sun(series)
    angles = angles_of(series.acquisitions)
    return Inspection(
        sources_of(series), channels_of(series), angles, fields_of(series.pixels), found
    )


def sources_of(series: Series) -> list[dict[str, Any]]:
    """A row per file that was read; dark dates are those without a clear pixel."""
    rows = []
    for k, read in enumerate(series.log):
        if read["kind"] != "read":
            continue
        values = next(r for r in series.log[k:] if r["kind"] == "values")
        after = series.log[k + 2 : k + 3]  # `all_masked` follows the two where there is any
        dark = sum(r["count"] for r in after if r["kind"] == "all_masked")
        dates = read["acquisitions"] + dark
        width = max(len(series.channels[sensor]) for sensor in read["sensors"])
        row = {name: read[name] for name in ("path", "sensors", "pixels", "first", "last")}
        row |= {"dates": dates, "dark": dark}
        rows.append({**row, "clear": values["seen"] / max(dates * read["pixels"] * width, 1)})
    return rows


def channels_of(series: Series) -> list[dict[str, Any]]:
    """A row per sensor and channel: number, share of its acquisitions' pixels, quantiles."""
    rows = []
    for sensor, names in series.channels.items():
        own = [a for a in series.acquisitions if a.sensor == sensor]
        for k, name in enumerate(names if own else ()):
            seen = torch.cat([a.seen[:, k] for a in own])
            values = torch.cat([a.values[:, k] for a in own])[seen].double().numpy()
            if not values.size:
                rows.append({"sensor": sensor, "channel": name, "n": 0, "clear": 0.0})
                continue
            low, lower, median, upper, high = np.quantile(values, [0.01, 0.25, 0.5, 0.75, 0.99])
            rows.append(
                {"sensor": sensor, "channel": name, "n": values.size}
                | {"clear": values.size / seen.numel(), "q01": low, "q25": lower}
                | {"median": median, "q75": upper, "q99": high}
            )
    return rows


def angles_of(acquisitions: Sequence[Acquisition]) -> list[dict[str, Any]]:
    """A row per sensor: from which to which degree each angle goes, over all that was seen."""
    rows = []
    for sensor in dict.fromkeys(a.sensor for a in acquisitions):
        own = [a for a in acquisitions if a.sensor == sensor]
        angles = torch.cat([a.angles[a.seen.any(-1)] for a in own])
        if not len(angles):
            continue
        row: dict[str, Any] = {"sensor": sensor}
        for k, name in enumerate(("sun zenith", "view zenith", "relative azimuth")):
            row[name] = (float(angles[:, k].amin()), float(angles[:, k].amax()))
        rows.append(row)
    return rows


def fields_of(pixels: xr.Dataset) -> list[dict[str, Any]]:
    """A row per static field: pixels with a number, the least and the greatest of these."""
    rows = []
    for name, field in FIELDS.items():
        if name in pixels.coords:
            values = pixels[name].values
            known = values[np.isfinite(values)]
            row: dict[str, Any] = {"field": name, "unit": field.unit, "places": known.size}
            ends = {"least": known.min(), "greatest": known.max()} if known.size else {}
            rows.append(row | {key: float(end) for key, end in ends.items()})
    return rows


def weather_rows(weather: Weather | None) -> list[dict[str, Any]]:
    """A row per element of weather: its sites, days without a gap, least and greatest value."""
    if weather is None:
        return []
    last = weather.first + len(weather.values) - 1
    days = {"first": isoformat(weather.first)[:10], "last": isoformat(last)[:10]}
    return [
        {"field": name, "unit": ELEMENTS[name].unit, "places": weather.values.shape[1]}
        | {"least": float(weather.values[..., k].min())}
        | {"greatest": float(weather.values[..., k].max()), **days}
        for k, name in enumerate(weather.elements)
    ]


def of_log(log: Sequence[Mapping[str, Any]]) -> list[Noted]:
    """What reading said, with what a run does about it."""
    found = []
    for record in log:
        kind = record["kind"]
        if kind == "suspicious":
            found.append(Noted(record["what"], KEPT, record["message"]))
        elif kind == "offset":
            treatment = MENDED if record["known"] else LEFT_OUT
            found.append(Noted("offset of a date", treatment, record["message"]))
        elif kind == "values":
            for why, count in record["rejected"].items():
                if why != "masked":
                    said = f"{record['path']}: {count} of {record['read']} values are {why}"
                    found.append(Noted("values", LEFT_OUT, said))
        elif kind == "read" and record.get("unordered"):
            said = f"{record['path']}: {record['unordered']} dates stand after a later one"
            found.append(Noted("order of dates", MENDED, said))
        elif kind == "all_masked":
            said = f"{record['path']}: {record['count']} dates have no clear pixel"
            found.append(Noted("cloud", LEFT_OUT, said))
        elif kind == "weather" and record["filled"]:
            found.append(Noted("weather", MENDED, f"{record['path']}: {record['message']}"))
        elif kind == "in_situ" and record.get("repeated"):
            said = f"{record['path']}: {record['repeated']} rows equal another in every column"
            found.append(Noted("repeated rows", LEFT_OUT, said))
    copies = [r for r in log if r["kind"] == "duplicate"]
    if copies:
        first = copies[0]
        said = f"{len(copies)} products of a pass that another covers, such as {first['product']}"
        found.append(Noted("duplicates", LEFT_OUT, f"{said} (kept: {first['kept']})"))
    return found


def _gaps(acquisitions: Sequence[Acquisition]) -> list[Noted]:
    times = np.unique([a.time for a in acquisitions if bool(a.seen.any())])
    found = []
    for k in np.flatnonzero(np.diff(times) > GAP):
        days = f"{isoformat(times[k])[:10]} to {isoformat(times[k + 1])[:10]}"
        said = f"nothing clear for {times[k + 1] - times[k]:.0f} days, {days}"
        found.append(Noted("gap", KEPT, said))
    return found


def _brightness(
    acquisitions: Sequence[Acquisition], bright: Tensor, judged: Tensor, screened: bool
) -> list[Noted]:
    """Undetected cloud, by how many values and on which dates."""
    if not bright.any():
        return []
    share = bright.sum(1) / judged.sum(1).clamp_min(1)
    worst = [
        acquisitions[t].product
        for t in share.argsort(descending=True).tolist()
        if share[t] >= CLOUDY and int(judged[t].sum()) > 1
    ]
    most = f"; on most pixels of {', '.join(worst[:5])}" if worst else ""
    most += f" and {len(worst) - 5} more" if len(worst) > 5 else ""
    remedy = "screening judges them" if screened else "add {name: screened} to analyse"
    said = (
        f"{100 * float(bright.sum() / judged.sum()):.1f} % of clear values are brighter in the "
        f"shortest channel than the dates before and after{most}; {remedy}"
    )
    return [Noted("undetected cloud", KEPT, said)]


def _sun(series: Series) -> list[Noted]:
    """A sun that stands elsewhere than time and place say."""
    if "lon" not in series.pixels.coords:
        return []
    lon, lat = (float(np.nanmean(series.pixels[axis].values)) for axis in ("lon", "lat"))
    times = np.array([a.time for a in series.acquisitions])
    given = np.array([float(a.angles[:, 0].mean()) for a in series.acquisitions])
    computed = sun_position(times, lon, lat)[0]
    apart = float(np.median(np.abs(given - computed)))
    if not apart > APART:
        return []
    swapped = float(np.median(np.abs(90.0 - given - computed)))
    said = f"the sun stands {apart:.0f} degrees from where it should be (median over dates)"
    cause = (
        "the angles look like elevations; give 90 less them"
        if swapped < 0.5 * apart
        else "slopes, dates without a time of day, or angles of another product"
    )
    return [Noted("sun zenith", KEPT, f"{said}: {cause}")]
