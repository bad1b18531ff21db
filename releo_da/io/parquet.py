"""Tables in Parquet and GeoParquet: the same rows and columns as text, with their types.

A GeoParquet file says in its metadata, under the key ``geo``, which of its columns are geometries
and in which coordinate system they lie; without a ``crs`` that is longitude and latitude. Other
files may hold geometries of the same form, well-known binary, in a column of bytes.

References: Apache Parquet format 2.x; GeoParquet 1.1.0, OGC 24-013, section "File metadata".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from releo_da.io.limits import BYTES, CELLS, REMEDY
from releo_da.strict_json import parse
from releo_da.types import InputError

ENDINGS = (".parquet", ".geoparquet", ".pq")
MAGIC = b"PAR1"
PART = 1 << 14
"""Rows that are taken at once."""


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its name or by its first bytes."""
    if path.suffix.lower() in ENDINGS:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_parquet(path: Path, name: str) -> pd.DataFrame:
    """The rows of a file; its attribute ``geometry`` says the coordinate system by column.

    Args:
        path: of the file.
        name: how it is called in messages.

    Returns:
        columns as numbers, texts or times, these in UTC without a time zone;
        ``attrs["geometry"]`` is ``{column: coordinate system or ""}``, the primary one first, empty
        where the file says nothing of geometries.

    Raises:
        InputError: the file is damaged or no Parquet, two columns have one name, or what it says of
            its geometries cannot be understood.
    """
    try:
        with pq.ParquetFile(path) as file:
            table = _read(file, name)
        columns = [_plain(column) for column in table.columns]
        frame = pa.table(columns, names=table.column_names)
        twice = [n for n in table.column_names if table.column_names.count(n) > 1]
        rows = None if twice else frame.to_pandas(date_as_object=False)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name}: not readable as Parquet ({text}); check the file, and copy it again if the "
            "copy was cut short"
        ) from None
    if rows is None:
        raise InputError(f"{name}: several columns are named '{twice[0]}'; rename all but one")
    if rows.empty:
        raise InputError(f"{name}: the table is empty; it needs rows of data")
    for column, kind in rows.dtypes.items():
        if isinstance(kind, pd.DatetimeTZDtype):
            rows[column] = rows[column].dt.tz_convert("UTC").dt.tz_localize(None)
    rows.attrs |= {"numbered": False, "geometry": _geometries(table.schema.metadata, name)}
    return rows


def _read(file: pq.ParquetFile, name: str) -> pa.Table:
    """All rows, taken in parts that are counted: a repeated text takes no room in the file."""
    cells = file.metadata.num_rows * max(file.metadata.num_columns, 1)
    if cells > CELLS:
        raise InputError(f"{name}: the table has {cells:,} cells, more than {CELLS:,}; {REMEDY}")
    parts, held = [], 0
    for part in file.iter_batches(batch_size=PART):
        part.validate(full=True)  # texts are UTF-8, which the format leaves to the reader
        held += part.nbytes
        if held > BYTES:
            raise InputError(f"{name}: the table takes more than {BYTES:,} bytes; {REMEDY}")
        parts.append(part)
    return pa.Table.from_batches(parts, schema=file.schema_arrow)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without its dictionary: categories as what they stand for."""
    kind = column.type
    return column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column


def _geometries(metadata: Mapping[bytes, bytes] | None, name: str) -> dict[str, str]:
    """Coordinate system by geometry column, the primary one first; "" where it is not known."""
    text = (metadata or {}).get(b"geo")
    if text is None:
        return {}
    try:
        said = parse(text.decode("utf-8"), f"{name}: metadata 'geo'", "write the file again")
        primary, columns = said["primary_column"], said["columns"]
        names = sorted(columns, key=lambda column: column != primary)
        encodings = {column: columns[column]["encoding"] for column in names}
        systems = {column: _code(columns[column]) for column in names}
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{name}: its metadata 'geo' is no GeoParquet ({error!r}); write the file again"
        ) from None
    for column, encoding in encodings.items():
        if encoding != "WKB":
            raise InputError(
                f"{name}: the geometry '{column}' is encoded as '{encoding}'; write it as WKB"
            )
    return systems


def _code(column: Mapping[str, Any]) -> str:
    """The coordinate system of a geometry column; none said means longitude and latitude."""
    if "crs" not in column:
        return "EPSG:4326"
    said = column["crs"]
    if said is None:
        return ""
    known = said.get("id", {})
    if known.get("authority") == "EPSG":
        return f"EPSG:{known['code']}"
    return "EPSG:4326" if str(known.get("code")) == "CRS84" else json.dumps(said)
