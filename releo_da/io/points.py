"""Reader of point series: a netCDF file of reflectances along pixel, time and channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from releo_da.io.angles import Option
from releo_da.io.layout import make_layout
from releo_da.io.masks import Rule
from releo_da.io.netcdf import opened
from releo_da.io.place import point_pixels
from releo_da.io.platforms import SensorOption
from releo_da.io.reading import Content, assemble, selected
from releo_da.io.series import Series
from releo_da.io.times import Moment
from releo_da.io.values import VALID


def read_points(
    path: str | Path,
    sensor: SensorOption,
    values: str,
    dims: dict[str, str],
    channels: dict[str, str | int],
    clear: dict[str, Rule] | None = None,
    angles: dict[str, Option] | None = None,
    select: dict[str, object] | None = None,
    period: Sequence[Moment] | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    valid: Sequence[float] = VALID,
    duplicates: str = "best",
    product: str | None = None,
    crs: str | None = None,
) -> Series:
    """Read a series of points; their ids are their positions in the file, from 0.

    Args:
        path: netCDF file.
        sensor: name or path of a file, or ``{from: variable along time, its value: name, ...}``.
        values: the variable of reflectances.
        dims: ``{pixel: .., time: .., channel: ..}``, the dimensions of `values` in any order.
        channels: ``{agency's name: name in the file}``, or its position where the file has no
            names; their order is that of the channel axis.
        clear: rules of `releo_da.io.masks`; all must hold.
        angles: sources of `releo_da.io.angles`; the sun is computed and the view is nadir where
            they are not given.
        select: rules of `releo_da.io.selection` on coordinates along time or points.
        period: first and last date, both included.
        scale: reflectance = scale * number + offset, after the file's own CF packing.
        offset: see `scale`.
        valid: reflectances outside (low, high] are rejected and counted.
        duplicates: which of several products of one pass `drop_duplicates` keeps: best, first,
            last or all.
        product: variable along time that names the products; ``product_uri`` where there is one,
            else the time.
        crs: coordinate system of x and y where the file does not say it, as in EPSG:32632.

    Returns:
        The series, with all selected points whether seen or not.

    Raises:
        InputError: file, name, rule or sensor is wrong, or nothing is left to assimilate.
    """
    content = Content(
        sensor, values, channels, clear, angles, scale, offset, valid, duplicates, product
    )
    with opened(path) as dataset:
        layout = make_layout(str(path), dims, ("pixel", "time", "channel"), dataset)
        positions = selected(dataset, layout, select, period)
        part = dataset.isel(positions)
        pixels = point_pixels(part, layout, positions[layout.space[0]].astype("int64"), crs)
        return assemble(part, layout, pixels, content)
