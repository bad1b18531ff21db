"""CSV as agencies publish responses: a column of wavelengths and one column per channel.

    # source: who published the response
    # additive: 0.005
    # multiplicative: 0.02
    wavelength,RED,NIR
    640,0.1,0
    660,1,0
    850,0,1

Wavelengths ascend in steps of any size, in nm or in um, which is told by their size. The noise is
one number for all channels or, after ``# additive:``, one for each, separated by blanks. Responses
are interpolated to 1 nm and normalised; a channel is 0 outside the table.
"""

from __future__ import annotations

from releo_da.sensors.response import from_table
from releo_da.sensors.sensor import TABULATED, Band, Channel
from releo_da.sensors.sheet import Sheet, number
from releo_da.types import InputError

WAVELENGTH = "wavelength"


def read(sheet: Sheet) -> tuple[list[Band], list[Channel]]:
    """Bands and channels of a sheet with one column per channel.

    Raises:
        InputError: a column, row or number is wrong.
    """
    names = sheet.columns[1:]
    if not all(names):
        raise InputError(f"{sheet.where}: column {names.index('') + 2} has no name; give one")
    sheet.check_cells()
    lines = [line for line, _ in sheet.rows]
    columns: dict[str, list[float]] = {}
    for position, name in enumerate(sheet.columns):
        columns[name] = [
            number(cells[position], f"{sheet.where}, line {line}, column {name}")
            for line, cells in sheet.rows
        ]
    wavelength = columns[WAVELENGTH]

    def place(position: int) -> str:
        return f"{sheet.where}, line {lines[position]}, column {WAVELENGTH}"

    bands = [
        Band(
            name,
            from_table(wavelength, columns[name], f"{sheet.where}, column {name}", place),
            TABULATED,
        )
        for name in names
    ]
    noise = [_noise(sheet, key, len(names)) for key in ("additive", "multiplicative")]
    return bands, [Channel(n, (n,), a, m) for n, a, m in zip(names, *noise, strict=True)]


def _noise(sheet: Sheet, key: str, channels: int) -> list[float]:
    """One part of the noise for each channel, from a comment line."""
    where = f"{sheet.where}, '# {key}:'"
    values = [number(text, where) for text in sheet.notes.get(key, "").split()]
    if len(values) == 1:
        return values * channels
    if len(values) != channels:
        raise InputError(
            f"{where}: {len(values) or 'no'} numbers for {channels} channels; write a line such as "
            f"'# {key}: 0.005' with one number for all or one for each"
        )
    return values
