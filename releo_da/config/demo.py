"""`releo-da demo`: simulates a patch of fields into files, then hindcasts them like any others.

The run directory's folder ``input`` gets a cube per sensor family, a table of field measurements,
the configuration and, for the curious, the truth. From there on nothing knows that the series was
simulated: the ordinary readers, system, scores and report do the work, and a copy of the folder is
a configuration to edit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

from releo_da.config import hindcast, training
from releo_da.config.document import Document, load
from releo_da.config.options import Options
from releo_da.config.sections import days, score, section
from releo_da.config.sources import read_sources
from releo_da.config.weight_paths import WEIGHTS
from releo_da.io import Series, create_run_directory, write_products, write_text_atomic
from releo_da.io.crs import to_lonlat
from releo_da.io.times import from_days
from releo_da.nature.landscape import VARIABLES, Array, Landscape, landscape, truth
from releo_da.nature.products import Orbit, Pass, Samples, field_work, products, shadow
from releo_da.observation.prosail import NodeBands, ProsailOperator
from releo_da.runs.timeline import hide
from releo_da.runs.withhold import Rule
from releo_da.sensors import load_sensor

YEAR = 2023
FIRST, LAST = date(YEAR, 3, 1), date(YEAR, 9, 30)
ORIGIN = days(date(YEAR - 1, 12, 31))
"""Days of the year are counted from here, so that 1 January is day 1."""

SIDE = 24
"""Rows and columns of the patch."""

PIXEL = 10.0
"""Metres."""

CRS, WEST, NORTH = "EPSG:32631", 362_000.0, 4_822_400.0
"""Where the patch is said to lie: near Toulouse."""


def scene_classes(seen: Pass, patch: Landscape) -> Array:
    """Classes of Sentinel-2's scene classification, ``[pixel]``: 3 shadow, 4, 5 land, 9 cloud."""
    red, near = seen.values[:, 2], seen.values[:, 6]
    land = np.where(near - red > 0.4 * (near + red), 4, 5)
    land[shadow(seen.sky, patch.height, patch.width)] = 3
    return np.where(seen.sky.flagged, 9, land)


def quality_bits(seen: Pass, patch: Landscape) -> Array:
    """Landsat's quality bits, ``[pixel]``: bit 3 cloud, bit 4 its shadow, bit 6 clear."""
    dark = shadow(seen.sky, patch.height, patch.width)
    return np.select([seen.sky.flagged, dark], [1 << 3, 1 << 4], 1 << 6)


class Family(NamedTuple):
    """How one agency codes its products."""

    platforms: dict[str, str]
    channels: tuple[str, ...]
    bands: tuple[str, ...]
    scale: float
    offset: float
    mask_name: str
    mask: Callable[[Pass, Landscape], Array]


SENTINEL2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
LANDSAT = ("B2", "B3", "B4", "B5", "B6", "B7")
FAMILIES = {
    "sentinel2": Family(
        {"sentinel2a": "S2A", "sentinel2b": "S2B"},
        SENTINEL2, SENTINEL2, 1.0e-4, -0.1, "scl", scene_classes,
    ),
    "landsat": Family(
        {"landsat8": "L8", "landsat9": "L9"},
        LANDSAT, tuple(f"SR_{name}" for name in LANDSAT), 2.75e-5, -0.2, "qa_pixel", quality_bits,
    ),
}  # fmt: skip

ORBITS = (
    Orbit("sentinel2a", ORIGIN + 62 + 10.85 / 24, 10.0, 7.4, 286.0, 1),
    Orbit("sentinel2b", ORIGIN + 67 + 10.85 / 24, 10.0, 7.4, 286.0, 1),
    Orbit("landsat8", ORIGIN + 64 + 10.65 / 24, 16.0, 3.5, 101.0, 3),
    Orbit("landsat9", ORIGIN + 72 + 10.65 / 24, 16.0, 3.5, 101.0, 3),
)
"""First pass, interval, view and footprint (in pixels) of each satellite."""

CAMPAIGNS = (96, 117, 138, 159, 180, 201, 222, 243)
"""Days of the year on which leaf area is measured."""

EVERY = 10
"""Days between output dates."""

NAME = "demo.yaml"

CONFIGURATION = Template("""\
# A season of six fields as two families of sensors deliver it. Everything here was simulated by
# `releo-da demo`. For data of your own, copy this file and change paths, names and masks.
seed: $seed
members: 32
period: [$first, $last]

source:
  - reader: cube
    path: sentinel2.nc
    sensor: {from: platform, S2A: sentinel2a, S2B: sentinel2b}
    values: counts
    scale: 1.0e-4                   # reflectance = scale x counts + offset
    offset: -0.1
    dims: {y: y, x: x, time: time, channel: band}
    channels: {B02: B02, B03: B03, B04: B04, B05: B05, B06: B06, B07: B07, B08: B08, B8A: B8A,
               B11: B11, B12: B12}
    clear: {scl: [4, 5]}            # vegetation and bare soil
    angles: {sun_zenith: sun_zenith, sun_azimuth: sun_azimuth,
             view_zenith: view_zenith, view_azimuth: view_azimuth}
  - reader: cube
    path: landsat.nc
    sensor: {from: platform, L8: landsat8, L9: landsat9}
    values: counts
    scale: 2.75e-5
    offset: -0.2
    dims: {y: y, x: x, time: time, channel: band}
    channels: {B2: SR_B2, B3: SR_B3, B4: SR_B4, B5: SR_B5, B6: SR_B6, B7: SR_B7}
    clear: {qa_pixel: {bits: [3, 4]}}   # the bits of cloud and of its shadow must be unset
    angles: {sun_zenith: sun_zenith, sun_azimuth: sun_azimuth,
             view_zenith: view_zenith, view_azimuth: view_azimuth}

state: {name: prosail, prior: atbd}
forecast: {name: mean_reverting$weights}
observe: {name: prosail, quadrature_error: 3.0e-4}
analyse:                            # each wraps the one before it
  - {name: etkf}
  - {name: multiple, times: 2}
  - {name: relaxed, factor: 0.3}
  - {name: screened, threshold: 4.0}
smooth: {name: rts}

score:
  withhold: {every: 3, offset: 0}   # a third of the clear dates of each pixel is hidden
  horizons: [5, 10, 20]
  in_situ: {path: field.csv, variable: lai, column: lai, time: date, x: x, y: y, radius: 5,
            within_days: 8}
products: {variables: [lai, cab, fapar, ndvi], every_days: $every}
train: {epochs: 10, members: 24, pixels: 48}
""")


def command(options: Options) -> Path:
    """Simulate, fit, hindcast and report; returns the path of the report."""
    root = create_run_directory(options.out or Path("runs") / "demo", ("figures", "input"))
    seed = options.seed or 0
    simulate(root / "input", seed)
    write_configuration(root / "input", seed)
    document = load(root / "input" / NAME, options.settings)
    assembly = training.fitted(document, unscored(document), options, label="fit").assembly
    training.save_weights(root / "input" / WEIGHTS, assembly)
    write_configuration(root / "input", seed, f", weights: {WEIGHTS}")
    document = load(root / "input" / NAME, options.settings)
    return hindcast.command(document, replace(options, out=root))


def unscored(document: Document) -> Series:
    """The series of a configuration without the dates that it withholds for scoring."""
    series = read_sources(document)
    rule: Rule = section(document, "score", score).withhold
    hidden = torch.as_tensor(rule.held(series.acquisitions, series.channels)["smoothed"].hidden)
    kept = [hide(a, hidden[:, k]) for k, a in enumerate(series.acquisitions)]
    return series._replace(acquisitions=kept)


def write_configuration(folder: Path, seed: int, weights: str = "", last: date = LAST) -> None:
    """Write the configuration, with or without fitted weights."""
    text = CONFIGURATION.substitute(seed=seed, first=FIRST, last=last, weights=weights, every=EVERY)
    write_text_atomic(folder / NAME, text)


def simulate(folder: Path, seed: int, side: int = SIDE, last: date = LAST) -> None:
    """Write cubes, field measurements and truth into a folder.

    Args:
        folder: exists.
        seed: of all that is random.
        side: rows and columns of the patch.
        last: last day that is simulated.
    """
    generator = np.random.default_rng([seed, 7])
    start, end = days(FIRST), days(last, end=True)
    patch = landscape(side, side, start - ORIGIN, int(end - start), generator)
    passes = simulated(patch, (start, end), generator)
    for name, family in FAMILIES.items():
        part = [p for p in passes if p.sensor in family.platforms]
        write_products(folder / f"{name}.nc", cube(part, patch, family))
    times = [ORIGIN + day for day in CAMPAIGNS if start <= ORIGIN + day < end]
    samples = field_work(patch, times, ORIGIN, generator)
    write_text_atomic(folder / "field.csv", table(samples, patch))
    write_products(folder / "truth.nc", truth_dataset(patch, np.arange(start + 0.5, end, EVERY)))


def simulated(
    patch: Landscape, period: tuple[float, float], generator: np.random.Generator
) -> list[Pass]:
    """Every pass over the patch, with the canopy model at finer quadrature than a run's."""
    channels = {s: family.channels for family in FAMILIES.values() for s in family.platforms}
    operator = ProsailOperator(
        lambda latents: dict(zip(VARIABLES, latents.unbind(-1), strict=True)),
        lambda latents: latents[..., :0],
        channels,
        bands=NodeBands(channels, 5.0e-5),
    )

    def centres(name: str) -> Array:
        sensor = load_sensor(name)
        return np.array([sensor.centres[k] for k in sensor.index(channels[name])])

    x, y = axes(patch)
    lon, lat = to_lonlat(x.mean(), y.mean(), CRS)
    place = float(lon), float(lat)
    return products(patch, operator, centres, ORBITS, period, ORIGIN, place, generator)


def axes(patch: Landscape) -> tuple[Array, Array]:
    """Eastings of the columns and northings of the rows (m), centres of pixels."""
    x = WEST + PIXEL * (np.arange(patch.width) + 0.5)
    y = NORTH - PIXEL * (np.arange(patch.height) + 0.5)
    return x.astype(np.float64), y.astype(np.float64)


def cube(passes: Sequence[Pass], patch: Landscape, family: Family) -> xr.Dataset:
    """Products of one family as its agency codes them: counts, a mask, angles."""
    shape = (len(passes), patch.height, patch.width)
    values = np.stack([p.values for p in passes]).transpose(0, 2, 1)
    counts = np.clip(np.rint((values - family.offset) / family.scale), 1, 65_535)
    mask = np.stack([family.mask(p, patch) for p in passes])
    x, y = axes(patch)
    angles = np.array([p.angles for p in passes]).T
    names = ("sun_zenith", "sun_azimuth", "view_zenith", "view_azimuth")
    told = {"scale": family.scale, "offset": family.offset, "units": "1"}
    space = ("time", "y", "x")
    return xr.Dataset(
        {
            "counts": (
                ("time", "band", "y", "x"),
                counts.astype(np.uint16).reshape(shape[0], -1, *shape[1:]),
                {"long_name": "surface reflectance, digital numbers", **told},
            ),
            family.mask_name: (space, mask.astype(np.uint16).reshape(shape)),
            **{
                name: ("time", angle, {"units": "degree"})
                for name, angle in zip(names, angles, strict=True)
            },
        },
        {
            "time": from_days([p.time for p in passes]).astype("datetime64[ns]"),
            "band": list(family.bands),
            "y": ("y", y, {"units": "m", "standard_name": "projection_y_coordinate"}),
            "x": ("x", x, {"units": "m", "standard_name": "projection_x_coordinate"}),
            "platform": ("time", [family.platforms[p.sensor] for p in passes]),
        },
        {"title": "simulated by releo-da demo", "crs": CRS},
    )


def table(samples: Samples, patch: Landscape) -> str:
    """Field measurements as CSV text."""
    x, y = axes(patch)
    row, column = np.divmod(samples.pixel, patch.width)
    lines = ["date,field,crop,x,y,lai"]
    for k, value in enumerate(samples.measured):
        number = int(patch.field[samples.pixel[k]])
        day = str(from_days(samples.time[k]).astype("datetime64[D]"))
        place = f"{x[column[k]]:.0f},{y[row[k]]:.0f}"
        lines.append(f"{day},{number},{patch.crop[number]},{place},{value:.2f}")
    return "\n".join(lines) + "\n"


def truth_dataset(patch: Landscape, times: Array) -> xr.Dataset:
    """Leaf area, chlorophyll and dryness of the soil as they were, and the map of fields."""
    x, y = axes(patch)
    values = np.stack([truth(patch, time - ORIGIN) for time in times])
    shape = (len(times), patch.height, patch.width)
    kept = {name: values[..., VARIABLES.index(name)] for name in ("lai", "cab", "psoil")}
    variables = {name: (("time", "y", "x"), v.reshape(shape)) for name, v in kept.items()}
    fields = ("y", "x"), patch.field.reshape(shape[1:]).astype(np.int32)
    coordinates = {"time": from_days(times).astype("datetime64[ns]"), "y": y, "x": x}
    note = "; ".join(f"{k} {name}" for k, name in enumerate(patch.crop))
    return xr.Dataset(
        {**variables, "field": fields},
        coordinates,
        {"title": "truth of releo-da demo", "crs": CRS, "fields": note},
    )
