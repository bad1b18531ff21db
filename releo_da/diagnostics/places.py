"""Pictures of places: series of the output variables with what was seen of them.

A place is a position along the axes of space of analysis.nc, ``{"point": 3}`` or
``{"y": 3, "x": 7}``; on the pixel axis of verification.nc it is found by its id (of a grid,
``y * width + x``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from releo_da.diagnostics import plots
from releo_da.diagnostics.picture import FieldPairs, Picture
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.products import band, ranged, spread_places, variables
from releo_da.diagnostics.scores import Array

MARKS = (
    "Dots were assimilated, crosses refused by screening. Hollow marks were assimilated as well, "
    "but withheld from a second pass that is scored on them."
)
"""How to read observations in a series."""


def reading(
    analysis: xr.Dataset,
    names: Sequence[str],
    verification: xr.Dataset | None,
    field: Sequence[FieldPairs],
) -> str:
    """How to read series of variables: of what the range is, if any, and which marks there are."""
    of_encoder = analysis.attrs.get("estimate") == "encoder"
    whose = "posterior of the encoder" if of_encoder else "ensemble"
    bare = [style.words(name) for name in names if not ranged(analysis, name)]
    said = ["Values through time."]
    if len(bare) < len(names):
        said = [f"Median, 50 % and 90 % range of the {whose} through time."]
        said += ["The range is that of the state, without the error of an observation."]
        said += [f"No range is known of {', '.join(bare)}."] if bare else []
    said += [MARKS] if verification is not None else []
    said += ["Squares are field measurements with their error."] if field else []
    return " ".join(said)


def series_pictures(
    analysis: xr.Dataset, verification: xr.Dataset | None, field: Sequence[FieldPairs]
) -> list[Picture]:
    """One large figure of all variables at one place, small multiples of each variable."""
    names = variables(analysis)
    if not names:
        return []
    places = chosen_places(analysis, names[0], verification, field)
    first, said = places[:1], reading(analysis, names, verification, field)
    pictures = [
        Picture(
            "series",
            f"Output variables at {described_place(analysis, place)}",
            said,
            plots.series(
                [
                    panel(
                        analysis,
                        n,
                        place,
                        verification,
                        field,
                        f"{style.words(n)} at {place_name(analysis, place)}",
                    )._replace(label=style.written(analysis[n].attrs.get("units", "")))
                    for n in names
                ],
                height=1.7,
            ),
        )
        for place in first
    ]
    if len(places) > 1:
        pictures += [multiples(analysis, n, places, verification, field) for n in names]
    return pictures


def chosen_places(
    analysis: xr.Dataset,
    name: str,
    verification: xr.Dataset | None,
    field: Sequence[FieldPairs],
    count: int = 6,
) -> list[dict[str, int]]:
    """Places to draw: those with most field measurements first, then evenly spaced ones."""
    measured = [np.asarray(p.pixel) for p in field if p.pixel is not None]
    pixels, times = np.unique(np.concatenate(measured or [np.empty(0, int)]), return_counts=True)
    wanted = set(pixels[np.argsort(-times, kind="stable")][:count].tolist())
    thinned = "id" in analysis.coords and verification is not None
    everywhere = spread_places(analysis, name, 10**6) if wanted or thinned else []
    visited = [p for p in everywhere if position(analysis, p, verification) in wanted]
    if thinned:  # records are those of a sample of the pixels
        sampled = [p for p in everywhere if position(analysis, p, verification) is not None]
        others = sampled[:: max(len(sampled) // count, 1)]
    else:
        others = spread_places(analysis, name, count)
    others = [p for p in others if p not in visited]
    return (visited + others)[:count]


def multiples(
    analysis: xr.Dataset,
    name: str,
    places: Sequence[Mapping[str, int]],
    verification: xr.Dataset | None,
    field: Sequence[FieldPairs],
) -> Picture:
    """One variable at several places."""
    return Picture(
        f"series_{name}",
        f"{style.words(name)} at {len(places)} places",
        "The same at several places of the run, on one vertical scale. "
        + reading(analysis, [name], verification, field),
        plots.series(
            [
                panel(analysis, name, place, verification, field, place_name(analysis, place))
                for place in places
            ],
            columns=3,
            height=1.6,
        ),
    )


def panel(
    analysis: xr.Dataset,
    name: str,
    place: Mapping[str, int],
    verification: xr.Dataset | None,
    field: Sequence[FieldPairs],
    title: str,
) -> plots.Panel:
    """The band of a variable at a place, with what was seen of it."""
    pixel = position(analysis, place, verification)
    points: list[plots.Points] = []
    if verification is not None and name in verification.channel.values and pixel is not None:
        here = verification.isel(pixel=pixel)
        points += observations(here.sel(channel=name), mostly_refused(here))
    for pairs in field:
        if pairs.variable == name and pairs.pixel is not None and pairs.times is not None:
            here = np.asarray(pairs.pixel) == pixel
            if not here.any():
                continue
            sd = None if pairs.measured_sd is None else pairs.measured_sd[here]
            points.append(plots.Points("in_situ", pairs.times[here], pairs.measured[here], sd))
    unit = analysis[name].attrs.get("units", "")
    bands = [band(analysis, name, place)]
    return plots.Panel(title, style.label(style.words(name), unit), bands, points)


def mostly_refused(here: xr.Dataset) -> Array:
    """Dates of one pixel of which screening refused more than half of the values, ``[time]``."""
    refused = (here.rejected > 0).sum("channel")
    seen = here.observed.notnull().sum("channel")
    return (2 * refused > seen).values


def observations(here: xr.Dataset, whole: Array | bool = False) -> list[plots.Points]:
    """Values of one channel at one pixel: assimilated, withheld, refused.

    Args:
        here: of verification.nc.
        whole: ``[time]`` bool, dates that were refused as a whole, for an index that is not
            screened itself.
    """
    seen = here.observed.notnull().values
    refused = (here.rejected > 0).values | (seen & whole)
    held = np.zeros_like(seen)
    if "smoothed" in here.case.values:
        held = here["mean"].sel(case="smoothed").notnull().values
    groups = {"observed": seen & ~held & ~refused, "withheld": seen & held, "rejected": refused}
    return [
        plots.Points(role, here.time.values[mask], here.observed.values[mask])
        for role, mask in groups.items()
        if mask.any()
    ]


def position(
    analysis: xr.Dataset, place: Mapping[str, int], verification: xr.Dataset | None
) -> int | None:
    """Position of a place of analysis.nc on the pixel axis of verification.nc."""
    if "point" in place:
        identity = int(analysis.point.values[place["point"]])
    elif "id" in analysis.coords:  # a part of a map
        identity = int(analysis["id"].values[place["y"], place["x"]])
    else:
        identity = place["y"] * analysis.sizes["x"] + place["x"]
    if verification is None:
        return place.get("point")
    at = np.flatnonzero(verification.pixel.values == identity)
    return int(at[0]) if at.size else None


def place_name(analysis: xr.Dataset, place: Mapping[str, int]) -> str:
    """Words for a place: the name of a point in its source or its id, row and column of a map.

    Rows and columns are those of the whole map; of a thinned one only the ids are known.
    """
    if "point" in place:
        if "label" in analysis.coords:
            return str(analysis["label"].values[place["point"]])
        return f"point {analysis.point.values[place['point']]}"
    if "id" in analysis.coords:
        return f"pixel {int(analysis['id'].values[place['y'], place['x']])}"
    return f"row {place['y']}, column {place['x']}"


def described_place(analysis: xr.Dataset, place: Mapping[str, int]) -> str:
    """A place by its name and its coordinates, as far as they are known."""
    name = place_name(analysis, place)
    if "point" in place:
        known = {"longitude": "lon", "latitude": "lat"}
        found = {
            text: f"{float(analysis[axis].values[place['point']]):.4f}°"
            for text, axis in known.items()
            if axis in analysis.coords
        }
    else:
        units = {axis: str(analysis[axis].attrs.get("units", "m")) for axis in place}
        found = {
            axis: f"{float(analysis[axis].values[place[axis]]):.7g} {units[axis]}"
            for axis in ("x", "y")
            if units[axis] != "1"
        }
    told = [f"{text} {number}" for text, number in found.items() if "nan" not in number]
    return f"{name} ({', '.join(told)})" if told else name
