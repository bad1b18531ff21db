"""JSON that is made of other files and kept to save time, with a digest of its content.

Nothing may depend on whether it is there: what is missing, damaged or of another form is None.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from releo_da.io.atomic import write_text_atomic
from releo_da.strict_json import LARGEST, parse
from releo_da.types import InputError


def read_digested(path: Path) -> dict[str, Any] | None:
    """What `write_digested` wrote, or None."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        found = parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, InputError):
        return None
    if not isinstance(found, dict) or found.pop("digest", None) != _digest(found):
        return None
    return found


def write_digested(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping of plain values, whole or not at all; numbers come back as they were."""
    text = json.dumps({**content, "digest": _digest(content)}, ensure_ascii=False)
    write_text_atomic(path, text + "\n")


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()
