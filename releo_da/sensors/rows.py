"""CSV with one row per channel: the response every 1 nm, or a centre and a width.

``response`` holds the values every 1 nm from ``first_nm`` on, separated by blanks, in any unit (it
is normalised here):

    # source: who published the response
    channel,additive,multiplicative,first_nm,response
    RED,0.005,0.02,650,.1 .8 1 .9 .2

Where only the centre and the full width at half maximum of channels are known, responses are
Gaussian:

    # source: who published the widths
    channel,additive,multiplicative,centre_nm,width_nm
    RED,0.005,0.02,665,30
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from releo_da.sensors.response import FIRST_NM, LAST_NM, MICROMETRES, gaussian, normalised
from releo_da.sensors.sensor import GAUSSIAN, TABULATED, Band, Channel
from releo_da.sensors.sheet import Sheet, number
from releo_da.types import InputError

NOISE = ("channel", "additive", "multiplicative")
COLUMNS = {
    TABULATED: (*NOISE, "first_nm", "response"),
    GAUSSIAN: (*NOISE, "centre_nm", "width_nm"),
}


def read(sheet: Sheet) -> tuple[list[Band], list[Channel]]:
    """Bands and channels of a sheet with one row per channel.

    Raises:
        InputError: a column, row or number is wrong.
    """
    form = GAUSSIAN if {"centre_nm", "width_nm"} & set(sheet.columns) else TABULATED
    sheet.check_columns(COLUMNS[form])
    sheet.check_cells()
    bands, channels = [], []
    for line, cells in sheet.rows:
        row = {name: cell.strip() for name, cell in zip(sheet.columns, cells, strict=True)}
        where, name = f"{sheet.where}, line {line}", row["channel"]
        if not name:
            raise InputError(f"{where}: the channel has no name; write one in the column 'channel'")
        where = f"{where}, channel {name}"
        additive, multiplicative = (number(row[c], f"{where}, {c}") for c in NOISE[1:])
        response = (_gaussian if form == GAUSSIAN else _tabulated)(row, where)
        bands.append(Band(name, response, form))
        channels.append(Channel(name, (name,), additive, multiplicative))
    return bands, channels


def _gaussian(row: Mapping[str, str], where: str) -> Tensor:
    """Response of a row that gives its centre and width."""
    centre = number(row["centre_nm"], f"{where}, centre_nm")
    if centre < MICROMETRES:
        raise InputError(f"{where}, centre_nm: {centre:g} is in um; give nanometres")
    return gaussian(centre, number(row["width_nm"], f"{where}, width_nm"), where)


def _tabulated(row: Mapping[str, str], where: str) -> Tensor:
    """Response of a row that gives it every 1 nm."""
    first = number(row["first_nm"], f"{where}, first_nm")
    values = [number(text, f"{where}, response") for text in row["response"].split()]
    start, stop = int(first) - FIRST_NM, int(first) - FIRST_NM + len(values)
    if first != int(first) or start < 0 or stop > LAST_NM - FIRST_NM + 1:
        raise InputError(
            f"{where}: the response covers {first:g} to {first + len(values) - 1:g} nm; "
            f"give it at whole nanometres within {FIRST_NM} to {LAST_NM} nm"
        )
    if not sum(values) > 0:
        raise InputError(f"{where}: the response is empty or zero; give its values every 1 nm")
    response = torch.zeros(LAST_NM - FIRST_NM + 1, dtype=torch.float64)
    response[start:stop] = torch.tensor(values, dtype=torch.float64)
    return normalised(response)
