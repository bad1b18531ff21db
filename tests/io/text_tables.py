"""Three dates of one pixel as a table of text, and the options that read them."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np

DAYS = [datetime.date(2024, 2, 28), datetime.date(2024, 2, 29), datetime.date(2024, 12, 31)]
EPOCH = datetime.date(1970, 1, 1)
VALUES = np.array([[0.05, 0.31], [0.06, 0.29], [0.07, 0.27]])
S2 = {"B04": "red", "B08": "nir"}


def write(path: Path, columns: list[str], rows: list[list[Any]], separator: str = ",") -> Path:
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def plain(tmp_path: Path, rows: list[list[Any]] | None = None, **options: Any) -> dict[str, Any]:
    """Three dates of one pixel, and the options that read them."""
    if rows is None:
        rows = [[d, *v] for d, v in zip(DAYS, VALUES, strict=True)]
    path = write(tmp_path / "t.csv", ["day", "red", "nir"], rows)
    return {
        "path": path,
        "time": "day",
        "sensor": "sentinel2a",
        "channels": S2,
        "position": {"lon": 8.0, "lat": 47.0},
        "overpass": "10:30",
    } | options
