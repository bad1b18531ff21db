"""The option ``auxiliary`` of sources: its files found, like every path of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from releo_da.config.document import Document


def with_maps(document: Document, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A source with the paths of its auxiliary maps and tables absolute.

    Raises:
        InputError: one is not there.
    """
    given = entry.get("auxiliary")
    if not isinstance(given, Mapping):
        return dict(entry)

    def found(option: Any) -> Any:
        if isinstance(option, list):
            return [found(one) for one in option]
        if isinstance(option, Mapping) and "path" in option:
            path = document.resolve_all(option["path"])
            return {**option, "path": path if isinstance(path, list) else str(path)}
        return option

    return {**entry, "auxiliary": {name: found(option) for name, option in given.items()}}
