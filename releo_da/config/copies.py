"""Copies of the output variables in the formats that a configuration asks for."""

from __future__ import annotations

from pathlib import Path

from releo_da.config.document import Document
from releo_da.config.sections import Products
from releo_da.io.exports import remove, write_csv, write_zarr
from releo_da.types import InputError

ROWS = 5_000_000
"""Rows of a table, at most."""

WRITERS = {"zarr": write_zarr, "csv": write_csv}
"""The function that makes each copy, by its format, which is also its suffix."""


def copied(path: Path, wanted: Products) -> None:
    """Copy a netCDF product beside itself, in each format that is wanted.

    Copies that an earlier run left and that are not wanted any more are removed: they would hold
    other numbers.
    """
    for target in unwanted(path, wanted):
        remove(target)
    for name in wanted.copies:
        WRITERS[name](path, path.with_suffix(f".{name}"))


def unwanted(path: Path, wanted: Products) -> list[Path]:
    """Where copies of a product lie, or would, in the formats that are not wanted."""
    return [path.with_suffix(f".{name}") for name in WRITERS if name not in wanted.copies]


def check_table(document: Document, wanted: Products, pixels: int, times: int, names: int) -> None:
    """Refuse a table that nothing would read.

    Args:
        document: the configuration.
        wanted: its products.
        pixels: that are estimated.
        times: of the products.
        names: number of output variables.

    Raises:
        InputError: a table is wanted and would have more than `ROWS` rows.
    """
    rows = pixels * times * names
    if "csv" in wanted.copies and rows > ROWS:
        raise InputError(
            f"{document.path}: products.format: a table of {pixels} pixels, {times} dates and "
            f"{names} variables would have {rows} rows, more than {ROWS}; ask for zarr instead of "
            "csv, or for fewer dates, a window or a stride"
        )
