"""The physical simulator as a command: a table of canopies in, a table of reflectances out.

    row of variables and angles  ->  spectrum s [2101]  ->  response [channel, 2101] @ s

The band average is exact: all wavelengths at which a channel of the sensor responds are evaluated,
in float64. Only what is unphysical is refused; bounds of priors are no limits here.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from releo_da.io.atomic import write_text_atomic
from releo_da.io.geometry import fold
from releo_da.physics.optics import Optics, load_optics
from releo_da.physics.prosail import VARIABLES, prosail
from releo_da.sensors.sensor import FIRST_NM, LAST_NM, load_sensor
from releo_da.types import InputError

if TYPE_CHECKING:
    from _csv import Reader

ANGLES = ("tts", "tto", "psi")
COLUMNS = (*VARIABLES, *ANGLES)
"""Columns that the input must have, in any order; others are ignored."""

INFINITE = float("inf")
PHYSICAL = {
    **dict.fromkeys(("cab", "car", "ant", "cbrown", "cw", "cm", "lai", "hspot"), (0.0, INFINITE)),
    "n": (1.0, INFINITE),
    "ala": (0.0, 90.0),
    "psoil": (0.0, 1.0),
    "rsoil": (0.0, INFINITE),
    "tts": (0.0, 90.0),
    "tto": (0.0, 90.0),
}
"""Least and largest value; a zenith angle of exactly 90 degrees is refused as well."""

BATCH = 2048
"""Rows per step of the progress bar; a spectrum of float64 takes 17 kB."""


class Table(NamedTuple):
    """The input: numbers ``[row]`` by column, and where each row stands in the file."""

    path: Path
    columns: dict[str, NDArray[np.float64]]
    lines: list[int]

    def where(self, row: int, column: str) -> str:
        """Beginning of a message about one cell."""
        return f"{self.path}, row {row + 1} (line {self.lines[row]}), column '{column}'"


def simulate_table(
    table: Path, output: Path | None, sensor: str | None, spectrum: bool, quiet: bool = False
) -> None:
    """Simulates every row of a CSV file.

    Args:
        table: CSV with the columns `COLUMNS`; psi is any real number of degrees.
        output: CSV of reflectances, 0-1, in the order of the rows; standard output when None.
        sensor: name in the catalogue; the columns of the result are its channels.
        spectrum: instead of a sensor, the columns 400 ... 2500 (nm).
        quiet: no progress bar.

    Raises:
        InputError: files, columns or values are wrong; row and column are named.
    """
    if spectrum == (sensor is not None):
        raise InputError("simulate: give either --sensor NAME or --spectrum")
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise InputError(
            f"--output {output}: not a file in an existing folder; create {output.parent}"
        )
    names, optics, response = _instrument(sensor)
    rows = read_canopies(table)
    values = np.concatenate(list(_simulated(rows, optics, response, quiet)))
    wrong = np.flatnonzero(~np.isfinite(values).all(1))
    if wrong.size:
        raise InputError(
            f"{rows.where(int(wrong[0]), 'lai')} and its neighbours: no finite reflectance; "
            "values of this row are too extreme"
        )
    text = pd.DataFrame(values.round(8), columns=names).to_csv(index=False)
    if output is None:
        sys.stdout.write(text)
    else:
        write_text_atomic(output, text)


def _instrument(sensor: str | None) -> tuple[tuple[str, ...], Optics, Tensor | None]:
    """Names of the result's columns, optics where they respond, and responses ``[channel, w]``."""
    if sensor is None:
        names = tuple(str(w) for w in range(FIRST_NM, LAST_NM + 1))
        return names, load_optics(dtype=torch.float64), None
    described = load_sensor(sensor)
    used = described.response.any(0).nonzero().flatten()
    optics = load_optics((used + FIRST_NM).tolist(), dtype=torch.float64)
    return described.channels, optics, described.response[:, used]


@torch.no_grad()
def _simulated(
    table: Table, optics: Optics, response: Tensor | None, quiet: bool
) -> Iterator[NDArray[np.float64]]:
    """Reflectances of each batch of rows, ``[row, channel or w]``."""
    silent = quiet or not sys.stderr.isatty()
    starts = range(0, len(table.lines), BATCH)
    for start in track(starts, "simulate", console=Console(stderr=True), disable=silent):
        part = {
            name: torch.as_tensor(column[start : start + BATCH])
            for name, column in table.columns.items()
        }
        spectra = prosail(part, part["tts"], part["tto"], part["psi"], optics)
        yield (spectra if response is None else spectra @ response.T).numpy()


def read_canopies(path: Path) -> Table:
    """Reads and checks the input of `simulate_table`; psi is folded to [0, 180].

    Raises:
        InputError: the file, a column or a value is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a CSV with {', '.join(COLUMNS)}") from None
    except (IsADirectoryError, PermissionError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable UTF-8 text file ({error})") from None
    reader = csv.reader(io.StringIO(text))
    header = [name.strip() for name in next(reader, [])]
    _check_header(path, header)
    rows, lines = _rows(path, reader, header)
    if not rows:
        raise InputError(f"{path}: has no rows below its header; add one per canopy")
    table = Table(path, {}, lines)
    for name in COLUMNS:
        position = header.index(name)
        table.columns[name] = _numbers(table, name, [row[position] for row in rows])
    table.columns["psi"] = fold(table.columns["psi"])
    return table


def _check_header(path: Path, header: list[str]) -> None:
    """Refuses a missing or repeated column, and what the simulator does not know how to use."""
    repeated = [name for name in COLUMNS if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path}: column '{repeated[0]}' appears twice; keep one of them")
    for name, instead in (("lidfa", "ala"), ("lidfb", "ala"), ("soil_moisture", "psoil")):
        if name in header:
            raise InputError(f"{path}: column '{name}' is not supported; give '{instead}' instead")
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(
            f"{path}: lacks the column {', '.join(missing)}; the header must name "
            + ", ".join(COLUMNS)
        )


def _rows(path: Path, reader: Reader, header: list[str]) -> tuple[list[list[str]], list[int]]:
    """The rows that are not blank, and the line on which each ends."""
    rows: list[list[str]] = []
    lines: list[int] = []
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise InputError(
                f"{path}, row {len(rows) + 1} (line {reader.line_num}): {len(row)} cells under "
                f"{len(header)} columns; give as many"
            )
        rows.append(row)
        lines.append(reader.line_num)
    return rows, lines


def _numbers(table: Table, column: str, cells: list[str]) -> NDArray[np.float64]:
    """One column as finite numbers within what is physical."""
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            values[row] = float(cell)
        except ValueError:
            raise InputError(f"{table.where(row, column)}: '{cell}' is not a number") from None
    least, largest = PHYSICAL.get(column, (-INFINITE, INFINITE))
    fits = np.isfinite(values) & (values >= least) & (values <= largest)
    if column in ("tts", "tto"):
        fits &= values < largest
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise InputError(
            f"{table.where(row, column)}: {cells[row].strip()} is unphysical; "
            f"give {_range(column, least, largest)}"
        )
    return values


def _range(column: str, least: float, largest: float) -> str:
    """What a column accepts, in words."""
    if least == -INFINITE:
        return "a finite number"
    if largest == INFINITE:
        return f"a finite number of at least {least:g}"
    return f"a number from {least:g} to {'below ' * (column in ANGLES)}{largest:g}"
