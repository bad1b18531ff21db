"""A user's own soil: spectra from a CSV file, brought to 1 nm.

The file has a header with the columns `wavelength` (nm or um, told apart by their size), `dry` and
perhaps `wet`, one row per wavelength in ascending order; lines that begin with # are notes. Spectra
cover 400-2500 nm at any spacing and are interpolated linearly.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from releo_da.types import InputError

from .published import FIRST, LAST, published

COLUMNS = ("wavelength", "dry", "wet")

MICROMETRES = 100.0
"""Wavelengths that all lie below this are in um."""


class SoilSpectra(NamedTuple):
    """Reflectance of a dry and of a wet soil, 400-2500 nm at 1 nm, ``[2101]`` each."""

    dry: Tensor
    wet: Tensor


def published_soil() -> SoilSpectra:
    """The soils that come with the canopy model, float64."""
    table = published("soil")
    return SoilSpectra(table["dry"], table["wet"])


def read_soil(path: Path | str) -> SoilSpectra:
    """Reads soil spectra for `load_optics`.

    Args:
        path: CSV file with the columns wavelength, dry and perhaps wet. Without wet, both spectra
            are the dry one: `psoil` has no effect then, and `soil_moisture` wets it.

    Returns:
        `SoilSpectra`, float64.

    Raises:
        InputError: the file cannot be read; a column is missing, unknown or repeated; a value is
            not a finite number, a reflectance lies outside 0-1, wavelengths do not ascend or do
            not cover 400-2500 nm. Row and column are named.
    """
    path = Path(path)
    header, rows, lines = _cells(path)
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in COLUMNS[:2] if name not in header]
    if unknown or missing or len(set(header)) < len(header):
        raise InputError(
            f"{path}: columns {', '.join(header) or 'none'}; the header must name wavelength and "
            "dry, and may name wet, once each"
        )
    table = {
        name: _numbers(path, name, [row[i] for row in rows], lines) for i, name in enumerate(header)
    }
    wavelength = table["wavelength"]
    for row in np.flatnonzero(np.diff(wavelength) <= 0.0)[:1] + 1:
        raise InputError(
            f"{_cell(path, row, lines, 'wavelength')}: {wavelength[row]:g} follows "
            f"{wavelength[row - 1]:g}; sort the rows by wavelength, each once"
        )
    if wavelength[-1] < MICROMETRES:
        wavelength = 1000.0 * wavelength
    elif wavelength[0] < MICROMETRES:
        raise InputError(
            f"{_cell(path, 0, lines, 'wavelength')}: {wavelength[0]:g} is in um, but the last row, "
            f"{wavelength[-1]:g}, in nm; give one unit"
        )
    if wavelength[0] > FIRST + 1e-6 or wavelength[-1] < LAST - 1e-6:
        raise InputError(
            f"{path}, column 'wavelength': rows 1 to {len(rows)} cover {wavelength[0]:g}-"
            f"{wavelength[-1]:g} nm; {FIRST}-{LAST} nm (0.4-2.5 um) are needed"
        )
    grid = np.arange(FIRST, LAST + 1)
    dry, wet = (
        torch.from_numpy(np.interp(grid, wavelength, table.get(name, table["dry"])))
        for name in COLUMNS[1:]
    )
    return SoilSpectra(dry, wet)


def _cells(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows, and the line of the file on which each row stands."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable text file ({error}); give a CSV") from None
    kept = [
        (number, _split(line, f"{path}, line {number}"))
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if len(kept) < 3:
        raise InputError(f"{path}: needs a header and at least two rows of numbers")
    (_, header), *body = kept
    for row, (number, cells) in enumerate(body, 1):
        if len(cells) != len(header):
            raise InputError(
                f"{path}, row {row} (line {number}): {len(cells)} cells under {len(header)} columns"
                "; give as many"
            )
    return header, [cells for _, cells in body], [number for number, _ in body]


def _split(line: str, where: str) -> list[str]:
    """Cells of a line."""
    try:
        return [cell.strip() for cell in next(csv.reader([line]))]
    except csv.Error as error:
        raise InputError(f"{where}: no row of a CSV ({error}); correct it") from None


def _cell(path: Path, row: int, lines: Sequence[int], column: str) -> str:
    """Beginning of a message about one cell."""
    return f"{path}, row {row + 1} (line {lines[row]}), column '{column}'"


def _numbers(
    path: Path, column: str, cells: Sequence[str], lines: Sequence[int]
) -> NDArray[np.float64]:
    """One column, checked."""
    values = np.empty(len(cells))
    limit = np.inf if column == "wavelength" else 1.0
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell)
        except ValueError:
            values[row] = np.nan
        if not np.isfinite(values[row]):
            raise InputError(f"{_cell(path, row, lines, column)}: '{cell}' is not a finite number")
        if not 0.0 <= values[row] <= limit:
            what = (
                "give wavelengths in nm or um" if limit > 1.0 else "give reflectances from 0 to 1"
            )
            raise InputError(f"{_cell(path, row, lines, column)}: {cell} is out of range; {what}")
    return values
