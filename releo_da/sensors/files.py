"""A file as a sensor: which of the four forms it has, and what they share.

    rows, every 1 nm   channel,additive,multiplicative,first_nm,response     `rows`
    rows, Gaussian     channel,additive,multiplicative,centre_nm,width_nm    `rows`
    table              wavelength,<channel>,<channel>,...                    `table`
    YAML               source, noise, channels, bands                        `description`

The first three are CSV with comment lines above that start with ``#``; ``# source:``, the document
that published the response, is needed in every form.
"""

from __future__ import annotations

import re
from importlib.resources.abc import Traversable
from pathlib import Path

from releo_da.sensors import description, rows, table
from releo_da.sensors.sensor import Band, Channel, Sensor, make_sensor
from releo_da.sensors.sheet import Sheet, csv_rows
from releo_da.strict_text import bounded_text
from releo_da.types import InputError

ENDINGS = (".csv", ".yaml", ".yml")

LARGEST = 1 << 23
"""Bytes of a file; a table of 250 channels at 2101 wavelengths has some 4 million."""

NOTE = re.compile(r"# ?(\w+):(.*)")
"""A comment line ``# key: text``; of equal keys the first counts, more blanks continue a text."""


def read_sensor(path: Path | Traversable) -> Sensor:
    """Read a sensor from a file; its name is the name of the file without its ending.

    Args:
        path: a CSV or YAML file of one of the forms of this module.

    Raises:
        InputError: the file is missing, or a column, row, key or number of it is wrong; the message
            names it.
    """
    stem, dot, ending = path.name.rpartition(".")
    if dot + ending.lower() not in ENDINGS:
        raise InputError(f"sensor file {path}: give a file that ends in {', '.join(ENDINGS)}")
    where = f"sensor file {path}"
    text = _text(path)
    if ending.lower() == "csv":
        source, bands, channels = _csv(text, where)
    else:
        source, bands, channels = description.read(text, where)
    for kind, names in (("channel", [c.name for c in channels]), ("band", [b.name for b in bands])):
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{where} names the {kind} {twice} twice; write each once")
    if not channels:
        raise InputError(f"{where} has no channel; write one row, column or key per channel")
    return make_sensor(stem, source, bands, channels)


def _csv(text: str, where: str) -> tuple[str, list[Band], list[Channel]]:
    """Source, bands and channels of a CSV of any form."""
    lines = text.splitlines()
    head = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    notes = {m[1].lower(): m[2].strip() for m in map(NOTE.match, reversed(lines[:head])) if m}
    source = notes.get("source", "")
    if not source:
        raise InputError(f"{where} has no '# source:' line; say who published the table")
    below = csv_rows(lines[head:], where, head)
    _, header = next(below, (head, []))
    columns = [name.strip() for name in header]
    sheet = Sheet(where, columns, list(below), notes)
    read = table.read if columns[:1] == [table.WAVELENGTH] else rows.read
    return source, *read(sheet)


def _text(path: Path | Traversable) -> str:
    try:
        return bounded_text(path, LARGEST)
    except OSError as error:
        reason = error.strerror or "is not readable"
        raise InputError(
            f"sensor file {path}: {reason}; give the path of a readable file"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"sensor file {path} is not UTF-8 text; save it as UTF-8") from None
