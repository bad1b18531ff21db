"""The physical simulator as a command: a table of canopies in, a table of reflectances out.

One row in, one row out, block by block: neither the text of the input nor that of the output is
ever held whole. What a row may hold and how it is simulated is `releo_da.simulator`.
"""

from __future__ import annotations

import csv
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from releo_da.config.sensor_paths import sensor_at
from releo_da.io.atomic import replacing
from releo_da.io.geometry import fold
from releo_da.physics.optics import LeafModel
from releo_da.physics.soil_spectra import SoilSpectra
from releo_da.sensors.sheet import csv_rows
from releo_da.simulator.rows import BLOCK, Factor, plan, simulated
from releo_da.simulator.validity import ANGLES, PLAIN, check, check_together, repeated, settle
from releo_da.types import InputError

DERIVED = ("fapar", "fcover", "albedo")
"""What ``--derived`` adds to the result."""

DECIMALS = 8


class Table(NamedTuple):
    """The input: numbers ``[row]`` by column, and where each row stands in the file."""

    path: Path
    columns: dict[str, NDArray[np.float64]]
    lines: Sequence[int]

    def place(self, column: str, row: int) -> str:
        """Beginning of a message about one cell."""
        return f"{self.path}, row {row + 1} (line {self.lines[row]}), column '{column}'"


def simulate_table(
    table: Path,
    output: Path | None,
    sensor: str | None,
    spectrum: bool,
    derived: Sequence[str] = (),
    quiet: bool = False,
    leaf: LeafModel = PLAIN,
    soil: Path | None = None,
    factor: Factor = "sdr",
) -> None:
    """Simulates every row of a CSV file.

    Args:
        table: CSV with a column for each variable and angle; psi is any real number of degrees.
        output: CSV of reflectances, 0-1, in the order of the rows; standard output when None.
        sensor: name or path of a file; the columns of the result are its channels.
        spectrum: instead of a sensor, the columns 400 ... 2500 (nm).
        derived: derived variables, the last columns of the result.
        quiet: no progress bar.
        leaf: leaf model; the column ant may be left out with ``prospect_5``.
        soil: CSV of soil spectra instead of the published ones.
        factor: the reflectance factor of the channels.

    Raises:
        InputError: files, columns or values are wrong; row and column are named.
    """
    if spectrum == (sensor is not None):
        raise InputError("simulate: give either --sensor NAME or --spectrum")
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise InputError(
            f"--output {output}: not a file in an existing folder; create {output.parent}"
        )
    made = plan(None if sensor is None else sensor_at(sensor), derived, leaf, soil, factor)
    rows = read_canopies(table, leaf, made.soil)
    blocks = simulated(made, rows.columns, len(rows.lines), rows.place)
    silent = quiet or not sys.stderr.isatty()
    with _opened(output) as file:
        csv.writer(file, lineterminator="\n").writerow(made.names)
        count = -(-len(rows.lines) // BLOCK)
        bar = track(blocks, "simulate", count, console=Console(stderr=True), disable=silent)
        for _, values in bar:
            frame = pd.DataFrame(values.round(DECIMALS))
            frame.to_csv(file, index=False, header=False, lineterminator="\n")


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    """The file of the result, there when it is whole; or standard output."""
    if output is None:
        yield sys.stdout
        return
    with replacing(output) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        yield file


def read_canopies(path: Path, leaf: LeafModel, soil: SoilSpectra) -> Table:
    """Reads and checks the input of `simulate_table`; psi is folded to [0, 180].

    Args:
        path: the CSV file.
        leaf: the leaf model.
        soil: the soil spectra.

    Raises:
        InputError: the file, a column or a value is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = _read(path, csv_rows(file, str(path)), leaf)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a CSV of canopy variables") from None
    except (IsADirectoryError, PermissionError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable UTF-8 text file ({error})") from None
    for name, values in table.columns.items():
        check(name, values, table.place)
    check_together(table.columns, table.place, leaf, soil)
    table.columns["psi"] = fold(table.columns["psi"])
    return table


def _read(path: Path, rows: Iterator[tuple[int, list[str]]], leaf: LeafModel) -> Table:
    """The rows as numbers, each column 8 bytes a row."""
    first, header = next(rows, (1, []))
    header = [name.strip() for name in header]
    twice = repeated(header)
    if twice is not None:
        raise InputError(f"{path}, line {first}: column '{twice}' appears twice; keep one of them")
    names = settle(header, f"{path}, line {first}", "column", ANGLES, leaf)
    columns, lines = {name: array("d") for name in header}, array("q")
    for line, row in rows:
        place = f"{path}, row {len(lines) + 1} (line {line})"
        if len(row) != len(header):
            raise InputError(f"{place}: {len(row)} cells under {len(header)} columns; give as many")
        lines.append(line)
        for name, cell in zip(header, row, strict=True):
            try:
                columns[name].append(float(cell))
            except ValueError:
                raise InputError(
                    f"{place}, column '{name}': '{cell}' is not a number; correct it"
                ) from None
    if not lines:
        raise InputError(f"{path}: has no rows below its header; add one per canopy")
    return Table(path, {name: np.frombuffer(columns[name]) for name in names}, lines)
