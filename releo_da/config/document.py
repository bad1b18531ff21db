"""A configuration file as a checked document: strict YAML, overrides, and where paths are found.

Nothing is guessed. A key that appears twice, an unknown top-level key, a period that ends before
it starts or a file that is not there ends with one message that names the place and the remedy.
What a component accepts is not known here: `releo_da.config.registry` reads it from signatures.

Overrides have the form ``key.sub=value`` with list positions as numbers (``source.0.path=x.nc``,
or ``source[0].path=x.nc`` as messages write it); the value is YAML. They are applied before the
checks, so that an override is held to the same rules as the file.

Paths written in a configuration are looked up beside it and then under the data folder: the
environment variable ``RELEO_DATA`` (which may name several folders), or ``../shared/data`` from the
project root. Neither ``..`` nor a link leads out of these and the working folder.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from releo_da.strict_text import bounded_text
from releo_da.strict_yaml import LARGEST, parse
from releo_da.types import InputError

KEYS = (
    "seed",
    "members",
    "period",
    "source",
    "state",
    "forecast",
    "observe",
    "analyse",
    "smooth",
    "score",
    "products",
    "train",
    "cycle",
)
"""The top-level keys of a configuration; there are no others."""

NO_DATA = "correct the path or set RELEO_DATA to the folder that holds the data"
"""What to do where a file of a configuration is not there."""


@dataclass(frozen=True)
class Document:
    """A configuration after overrides and checks.

    Attributes:
        path: the file it was read from.
        values: the mapping as YAML gave it, overrides applied, dates of ``period`` as dates.
    """

    path: Path
    values: dict[str, Any]

    @property
    def period(self) -> tuple[date, date] | None:
        """First and last day of the run, both included, or None where the file gives none."""
        if "period" not in self.values:
            return None
        start, end = self.values["period"]
        return start, end

    def require(self, key: str) -> Any:
        """The value of a top-level key.

        Raises:
            InputError: the configuration lacks the key.
        """
        if self.values.get(key) is None:
            raise InputError(f"{self.path}: needs the key '{key}', which is missing or empty")
        return self.values[key]

    def resolve(self, text: str | Path, key: str = "", remedy: str = NO_DATA) -> Path:
        """The existing file or folder that a path in this configuration means.

        A relative path is looked up beside the configuration, then under the data folders, then in
        the working folder, and may not climb out of these. An absolute path must lie in one of
        them. A link may lead from one of them into another and nowhere else.

        Args:
            text: the path.
            key: that it stands under, for the message.
            remedy: what to do where nothing is there.

        Raises:
            InputError: nothing is there, with the places looked in, or the path leads elsewhere.
        """
        where = f"{self.path}: {key}" if key else f"{self.path}"
        if not isinstance(text, str | Path) or not str(text) or "\0" in str(text):
            raise InputError(f"{where}: {text!r} is no path; write the name of a file")
        roots = self.roots
        places = [Path(os.path.normpath(root / text)) for root in roots]
        inside = [p for p, root in zip(places, roots, strict=True) if p.is_relative_to(root)]
        if not inside:
            raise self._outside(text)
        for place in inside:
            if os.path.exists(place):
                return self.permitted(place)
        looked = ", ".join(dict.fromkeys(str(place) for place in inside))
        raise InputError(f"{where}: no file '{text}'; looked for {looked}; {remedy}")

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders that may be read: the configuration's, those of data, the working folder."""
        return Path(os.path.abspath(self.path.parent)), *data_folders(), Path.cwd()

    def permitted(self, place: Path) -> Path:
        """A file or folder that is there, if it may be read.

        Raises:
            InputError: its links lead outside `roots`, or it is neither file nor folder.
        """
        real = Path(os.path.realpath(place))
        if not any(real.is_relative_to(os.path.realpath(root)) for root in self.roots):
            raise self._outside(place if real == place else f"{place} -> {real}")
        if not (real.is_file() or real.is_dir()):
            raise InputError(
                f"{self.path}: {place} is neither a file nor a folder; give one of them"
            )
        return place

    def _outside(self, text: str | Path) -> InputError:
        allowed = ", ".join(dict.fromkeys(str(root) for root in self.roots))
        return InputError(
            f"{self.path}: path '{text}' leads outside the folders it may be in ({allowed}); add "
            f"the folder that holds it to RELEO_DATA, which may name several with '{os.pathsep}' "
            "between them"
        )

    def resolve_all(self, option: object) -> Path | list[str]:
        """The files that a path, a pattern with ``*``, or a list of either means.

        A file of that very name comes before the pattern that it could also be.

        Raises:
            InputError: as `resolve`; a pattern matches nothing.
        """
        if isinstance(option, list):
            found = [self.resolve_all(one) for one in option]
            return [str(p) for one in found for p in (one if isinstance(one, list) else [one])]
        if not isinstance(option, str | Path) or not glob.has_magic(str(option)):
            return self.resolve(option)  # type: ignore[arg-type]
        text, matched = str(option), list[str]()
        for root in self.roots:
            place = Path(os.path.normpath(root / text))
            if matched or not place.is_relative_to(root):
                continue
            if os.path.exists(place):  # brackets may also belong to a name
                return self.permitted(place)
            within = str(place.relative_to(root))
            there = sorted(root / one for one in glob.glob(within, root_dir=root))
            matched = [str(self.permitted(one)) for one in there]
        if not matched:
            raise InputError(
                f"{self.path}: no file matches '{text}', beside the configuration, under "
                f"{data_folder()} or in the working folder; correct the pattern"
            )
        return matched


def data_folder() -> Path:
    """The first of the data folders."""
    return data_folders()[0]


def data_folders() -> tuple[Path, ...]:
    """``RELEO_DATA``, or ``../shared/data`` from the project root (the working folder's if none).

    The variable may name several folders, with what separates those of PATH between them. The
    project root is the folder above the package in a checkout.
    """
    given = [one for one in os.environ.get("RELEO_DATA", "").split(os.pathsep) if one]
    if given:
        return tuple(Path(os.path.abspath(Path(one).expanduser())) for one in given)
    above = Path(__file__).resolve().parents[2]
    root = above if (above / "pyproject.toml").exists() else Path.cwd()
    return (root.parent / "shared" / "data",)


def load(
    path: str | Path,
    overrides: Sequence[str] = (),
    instead: Mapping[str, Any] | None = None,
) -> Document:
    """Reads a configuration, applies overrides and checks its top level.

    Args:
        path: a YAML file.
        overrides: texts ``key.sub=value``, later ones win.
        instead: top-level keys that replace those of the file, before the overrides.

    Raises:
        InputError: the file is missing, is no valid YAML mapping, repeats a key, or holds an
            unknown top-level key or an impossible seed, number of members or period.
    """
    file = Path(path)
    try:
        text = bounded_text(file, LARGEST)
    except FileNotFoundError:
        raise InputError(
            f"{file}: no such configuration file; give the path of a YAML file "
            f"(working folder {Path.cwd()})"
        ) from None
    except IsADirectoryError:
        raise InputError(f"{file}: is a folder; give the YAML file inside it") from None
    except PermissionError:
        raise InputError(f"{file}: may not be read; change its permissions") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not UTF-8 text ({error.reason}); save it as UTF-8") from None
    values = parse(text, str(file))
    if not isinstance(values, dict):
        found = "is empty" if values is None else f"holds a {type(values).__name__}"
        raise InputError(f"{file}: {found} at top level; write keys such as {', '.join(KEYS[:4])}")
    values = {**values, **(instead or {})}
    for override in overrides:
        values = override_one(values, override)
    return Document(file, _checked(values, str(file)))


def override_one(values: dict[str, Any], override: str) -> dict[str, Any]:
    """A copy of ``values`` with one ``key.sub=value`` applied; the input is left as it is.

    Raises:
        InputError: the text has no ``=``, or its keys lead through something that has none.
    """
    keys, equals, text = override.partition("=")
    parts = re.sub(r"\[(\d+)\]", r".\1", keys.strip()).split(".")
    if not equals or not all(parts):
        raise InputError(f"--set '{override}': write key.sub=value, e.g. members=64")
    value = parse(text, f"--set '{override}'")
    replaced: dict[str, Any] = _replaced(values, parts, value, override)
    return replaced


def _replaced(container: Any, parts: Sequence[str], value: Any, override: str) -> Any:
    """Copies along the path only, so that YAML aliases elsewhere keep their values."""
    if not parts:
        return value
    head, rest = parts[0], parts[1:]
    if isinstance(container, list):
        if not head.isdigit() or int(head) >= len(container):
            raise InputError(
                f"--set '{override}': '{head}' is no position in a list of {len(container)}; "
                f"use a number from 0 to {len(container) - 1}"
            )
        items = list(container)
        items[int(head)] = _replaced(items[int(head)], rest, value, override)
        return items
    if container is None:
        container = {}
    if not isinstance(container, dict):
        raise InputError(
            f"--set '{override}': there is no key '{head}' to set below the value {container!r}"
        )
    return {**container, head: _replaced(container.get(head), rest, value, override)}


def nearest(text: str, valid: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a valid name is close, and always the list of valid names."""
    names = [str(name) for name in valid]
    lower = {name.lower(): name for name in reversed(names)}
    close = get_close_matches(str(text).lower(), list(lower), n=1, cutoff=0.6)
    meant = f"did you mean '{lower[close[0]]}'? " if close else ""
    return f"{meant}valid: {', '.join(names) or 'none'}"


def _checked(values: dict[str, Any], where: str) -> dict[str, Any]:
    """The mapping with its period as dates, or InputError."""
    for key in values:
        if key not in KEYS:
            raise InputError(f"{where}: unknown key '{key}'; {nearest(key, KEYS)}")
    for key, least in (("seed", 0), ("members", 2)):
        value = values.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{where}: {key} is {value!r}; give a whole number, {least} or more")
    if "period" not in values:
        return values
    return {**values, "period": list(_period(values["period"], where))}


def _period(value: Any, where: str) -> tuple[date, date]:
    """Two dates, the first not after the second."""
    if isinstance(value, Mapping | str) or not isinstance(value, Sequence) or len(value) != 2:
        raise InputError(
            f"{where}: period is {value!r}; give two dates such as [2017-01-01, 2018-10-31]"
        )
    start, end = (_date(item, where) for item in value)
    if start > end:
        raise InputError(
            f"{where}: the period is empty, it starts {start} after its end {end}; swap the dates"
        )
    return start, end


def _date(value: Any, where: str) -> date:
    """A day from YAML's own date or from ISO text; a time of day is refused."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise InputError(
            f"{where}: period holds {str(value)!r}, which is no day; write YYYY-MM-DD"
        ) from None
