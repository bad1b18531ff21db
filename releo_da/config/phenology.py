"""`products.phenology`: dates of seasons of a run, and the file that holds them.

    lai_start(number, time, point)   lai_start_lower   lai_start_upper   and peak, end, maximum
    lai_season_probability(number, time, point)   lai_start_cut   lai_end_cut

or ``(number, time, y, x)`` of a grid. ``time`` is the first day of the calendar year in which a
season peaks, ``number`` counts the seasons of that year. Dates are days since 1970, so that readers
of CF files show them as dates; quantiles are the median, and 5 and 95 % as lower and upper. A start
on the first product date is about then or earlier, an end on the last one about then or later;
``start_cut`` and ``end_cut`` are the shares of members for which that is so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from releo_da.config.document import Document
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.seasons import KINDS, Seasons
from releo_da.diagnostics.seasons.windows import years
from releo_da.io import products_dataset, write_products
from releo_da.io.map_file import writing_map
from releo_da.io.products import Layer
from releo_da.observation.derived import described
from releo_da.runs.seasons import RIVALS, TRUTH
from releo_da.types import InputError

FILE = "phenology.nc"
"""Its name in a run directory."""

AMPLITUDES = {"lai": 0.5, "lai_green": 0.5, "fapar": 0.1, "fcover": 0.1, "ndvi": 0.1}
"""By how much a variable rises and falls in a season at least, unless given, in its unit."""

DAYS = "days since 1970-01-01 00:00:00"
MEANING = {
    "start": "rise has reached {start:g} of its amplitude",
    "peak": "highest value",
    "end": "fall has left {end:g} of its amplitude",
}

CUT = {"start": ("rise", "first", "earlier"), "end": ("fall", "last", "later")}
"""Dates that the period may cut: of what, by which product date, and how that date is read."""

Write = Callable[[Array, Mapping[str, Array]], None]
"""``write(ids, {name: [number, year, pixel]})`` of some pixels, by ascending id."""


def phenology(
    variable: str = "lai",
    amplitude: float | None = None,
    start: float = 0.25,
    end: float = 0.15,
    per_year: int = 2,
) -> Seasons:
    """What counts as a season.

    Args:
        variable: one of the output variables of the run.
        amplitude: by how much a curve rises and falls at least, in the unit of the variable; unless
            given, 0.5 of leaf area (all or green) and 0.1 of FAPAR, FCOVER and NDVI.
        start: share of the rise that is done at the start of the season.
        end: share of the fall that is left at its end.
        per_year: seasons of a calendar year, at most; the highest are kept.
    """
    for name, share in {"start": start, "end": end}.items():
        if not 0 < share < 1:
            raise InputError(f"products.phenology.{name} is {share}; give a share between 0 and 1")
    if amplitude is None and variable not in AMPLITUDES:
        raise InputError(
            f"products.phenology: no amplitude is known of {variable}; give one, in its unit"
        )
    height = AMPLITUDES[variable] if amplitude is None else amplitude
    if not 0 < height < np.inf:
        raise InputError(f"products.phenology.amplitude is {height}; give a positive number")
    if per_year < 1:
        raise InputError(f"products.phenology.per_year is {per_year}; give 1 or more")
    return Seasons(variable, float(height), float(start), float(end), per_year)


def check_seasons(variables: Sequence[str], wanted: Seasons | None) -> None:
    """Refuse seasons of what a run does not estimate.

    Raises:
        InputError: as said.
    """
    if wanted is not None and wanted.variable not in variables:
        raise InputError(
            f"products.phenology.variable: {wanted.variable} is no output variable of this run; "
            "add it to products.variables"
        )


def refuse_seasons(document: Document, why: str) -> None:
    """Refuse dates of seasons where they cannot be made.

    Args:
        document: the configuration.
        why: the end of the sentence.

    Raises:
        InputError: they are asked for.
    """
    if (document.values.get("products") or {}).get("phenology") is not None:
        raise InputError(f"{document.path}: products.phenology: {why}")


def layers_of(wanted: Seasons, truth: bool) -> dict[str, Layer]:
    """The variables of the file; ``truth`` of a twin experiment, with rivals."""
    unit, long_name = described((wanted.variable,))[wanted.variable]
    axis = "number", wanted.per_year

    def layer(text: str, units: str, **more: Any) -> Layer:
        return Layer({"long_name": text, "units": units, **more}, *axis)

    said = {k: f"{k} of season: {v.format(**wanted._asdict())}" for k, v in MEANING.items()}
    found = {f"{wanted.variable}_season_probability": layer("share of members with a season", "1")}
    for kind, (what, which, read) in CUT.items():
        found[f"{wanted.variable}_{kind}_cut"] = layer(
            f"share of the members with a season whose {what} is cut by the {which} product date",
            "1",
            comment=f"A quantile of the {kind} on that date means about then or {read}. Where more "
            "than half of these members are cut there is no median.",
        )
    for kind, text in {**said, "maximum": f"{long_name} at the peak"}.items():
        date = kind in KINDS
        units, more = (DAYS, {"calendar": "standard"}) if date else (unit, {})
        name = f"{wanted.variable}_{kind}"
        found[name] = layer(f"{text}, median of the ensemble", units, **more)
        for level, share in (("lower", "5"), ("upper", "95")):
            found[f"{name}_{level}"] = layer(f"{text}, {share} % quantile", units, **more)
        for other in (TRUTH, *RIVALS) if date and truth else ():
            whose = "of the truth" if other == TRUTH else f"by {other.replace('_', ' ')} of NDVI"
            found[f"{name}_{other}"] = layer(f"{text}, {whose}", units, **more)
    return found


def first_days(times: ArrayLike) -> Array:
    """The first day of each calendar year, ``[year]`` days since 1970-01-01."""
    first = (years(np.asarray(times, float)) - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    return np.asarray(first.astype(float))


def write_seasons(
    root: Path,
    times: ArrayLike,
    pixels: xr.Dataset,
    found: Mapping[str, Array],
    wanted: Seasons | None,
    attributes: Mapping[str, str],
    truth: bool = False,
) -> None:
    """Write the dates of seasons of a run that memory holds; no file where none are wanted.

    Args:
        root: the run directory.
        times: of the output variables.
        pixels: the pixel axis.
        found: ``{name: [number, year, pixel]}``.
        wanted: what counts as a season.
        attributes: global ones.
        truth: whether a truth and rivals are among what was found.
    """
    if wanted is None:
        (root / FILE).unlink(missing_ok=True)  # of an earlier run in the same directory
        return
    layers = {n: (one, found[n]) for n, one in layers_of(wanted, truth).items() if n in found}
    told = attributes_of(attributes, wanted)
    dataset = products_dataset(first_days(times), pixels, {}, told, layers)
    write_products(root / FILE, dataset)


@contextmanager
def writing_seasons(
    root: Path,
    times: ArrayLike,
    pixels: xr.Dataset,
    wanted: Seasons | None,
    attributes: Mapping[str, str],
    truth: bool = False,
) -> Iterator[Write]:
    """The same of a map, block by block (`releo_da.io.map_file.writing_map`)."""
    if wanted is None:
        (root / FILE).unlink(missing_ok=True)
        yield lambda ids, values: None
        return
    layers, told = layers_of(wanted, truth), attributes_of(attributes, wanted)
    days = first_days(times)
    with writing_map(root / FILE, days, pixels, {}, (), told, layers=layers) as write:

        def complete(ids: Array, values: Mapping[str, Array]) -> None:
            nothing = np.full((wanted.per_year, len(days), len(ids)), np.nan, np.float32)
            write(ids, {name: values.get(name, nothing) for name in layers})

        yield complete


def attributes_of(attributes: Mapping[str, str], wanted: Seasons) -> dict[str, str]:
    """Global attributes of the file: what counts as a season, beside those of a product."""
    text = (
        f"Seasons of {wanted.variable} with an amplitude of {wanted.amplitude:g} or more; start at "
        f"{wanted.start:g} of the rise, end at {wanted.end:g} of the fall. time is the first day "
        "of the calendar year of the peak."
    )
    return {**attributes, "title": "start, peak and end of seasons", "comment": text}
