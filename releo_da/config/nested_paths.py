"""Paths inside the options of a source: found like every path of a configuration.

    mask: {path: landcover.nc, ..}
    angles: {view_zenith: {table: views.csv, ..}}
    auxiliary: {elevation: {path: dem.nc, ..}}

A file that goes with the data may also lie beside them. What a reader is given is absolute, inside
the folders that a configuration may read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from releo_da.config.auxiliary import with_maps
from releo_da.config.document import Document
from releo_da.types import InputError


def with_files(document: Document, entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A source with the paths inside its options absolute.

    Args:
        document: the configuration.
        entry: the source.
        folder: where its data lie.

    Raises:
        InputError: a file is not there, or outside the folders it may be in.
    """
    found = with_maps(document, entry)
    mask, angles = found.get("mask"), found.get("angles")
    if isinstance(mask, Mapping) and "path" in mask:
        found["mask"] = {**mask, "path": _beside(document, mask["path"], folder)}
    if isinstance(angles, Mapping):
        found["angles"] = {
            key: {**option, "table": _beside(document, option["table"], folder)}
            if isinstance(option, Mapping) and "table" in option
            else option
            for key, option in angles.items()
        }
    return found


def folder_of(path: Path | list[str]) -> Path:
    """Where the data of a source lie, by its path or the first of several."""
    return Path(path[0] if isinstance(path, list) else path).parent


def _beside(document: Document, text: Any, folder: Path) -> str:
    """A file that goes with the data, under the folders of the configuration or beside the data."""
    try:
        return str(document.resolve(text))
    except InputError:
        if not isinstance(text, str) or not (folder / text).exists():
            raise
        return str(document.resolve(folder / text))
