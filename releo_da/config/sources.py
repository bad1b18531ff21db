"""The sources of a configuration: readers by name, what they read checked, joined into one series.

    entry -> reader -> faults refused, unless accepted -> merged -> offsets of single dates mended
          -> duplicates dropped

A fault of a whole source (`releo_da.observation.faults`) that is sure ends a run before anything is
assimilated. Who has looked and knows better writes ``accept: [exchanged]`` into the source.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from releo_da.config.document import Document
from releo_da.config.nested_paths import folder_of, with_files
from releo_da.config.registry import Registry
from releo_da.config.sensor_paths import with_paths
from releo_da.io import Series, drop_duplicates, merge, read_cube, read_points, read_table
from releo_da.io.by_date import ByDate
from releo_da.io.cube import open_cube
from releo_da.io.names import require
from releo_da.io.points import open_points
from releo_da.io.strips import Mend
from releo_da.io.times import isoformat
from releo_da.observation.faults import KINDS, find_faults
from releo_da.observation.offset import corrected, find_offsets
from releo_da.types import Acquisition, InputError

ACCEPT = """
        accept: kinds of faults that are taken as they are: exchanged, offset, unlike, constant,
            repeated."""


def checked(read: Callable[..., Series]) -> Callable[..., Series]:
    """A reader with the option ``accept`` that refuses what is surely wrong, and logs the rest."""

    def judged(series: Series, path: object, accept: Sequence[str]) -> Series:
        return series._replace(log=[*series.log, *suspicions(series, path, accept)])

    return _accepting(read, judged)


def unjudged(read: Callable[..., Any]) -> Callable[..., Any]:
    """A reader with the option ``accept``, of which every date is judged later, by itself."""
    return _accepting(read, lambda found, path, accept: found)


def _accepting(
    read: Callable[..., Any], judged: Callable[[Any, object, Sequence[str]], Any]
) -> Callable[..., Any]:
    """A reader with the option ``accept``, and what becomes of what it read."""

    @wraps(read)
    def reading(*, accept: Sequence[str] = (), **options: Any) -> Any:
        for kind in accept:
            require(kind, KINDS, f"{options['path']}: key 'accept'", "kind")
        return judged(read(**options), options["path"], accept)

    own = inspect.signature(read)
    option = inspect.Parameter("accept", inspect.Parameter.KEYWORD_ONLY, default=())
    reading.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[*own.parameters.values(), option]
    )
    reading.__annotations__ = {**read.__annotations__, "accept": Sequence[str]}
    above, returns, below = (read.__doc__ or "").partition("\n\n    Returns:")
    reading.__doc__ = above + ACCEPT + returns + below
    return reading


def suspicions(series: Series, path: object, accept: Sequence[str]) -> list[dict[str, Any]]:
    """What is odd about a source, as records for the log.

    Args:
        series: the source, or a sample of its pixels.
        path: of the source, for messages.
        accept: kinds of faults that are taken as they are.

    Raises:
        InputError: something is surely wrong.
    """
    found = [
        f
        for f in find_faults(series.acquisitions, series.channels, series.log)
        if f.kind not in accept
    ]
    sure = [f for f in found if f.sure]
    if sure:
        kinds = ", ".join(dict.fromkeys(f.kind for f in sure))
        raise InputError(
            f"{path}: {'; '.join(f.message for f in sure)}. Correct the source, or "
            f"write 'accept: [{kinds}]' into it to take it as it is"
        )
    return [{"kind": "suspicious", "what": f.kind, "message": f.message} for f in found]


READERS = Registry(
    "reader",
    {"points": checked(read_points), "cube": checked(read_cube), "table": checked(read_table)},
    supplied=("period",),
    key="reader",
    several=True,
)


def open_cube_by_date(*arguments: Any, **options: Any) -> ByDate:
    """A cube to be read date by date."""
    return open_cube(*arguments, **options).by_date()


OPENERS = Registry(
    "reader",
    {
        "points": unjudged(open_points),
        "cube": unjudged(wraps(open_cube)(open_cube_by_date)),
        "table": unjudged(read_table),
    },
    supplied=("period",),
    key="reader",
    several=True,
)
"""Readers of a service, which are given one file of the inbox: date by date, but for tables."""


def resolved_sources(document: Document) -> list[dict[str, Any]]:
    """The entries of ``source`` with their paths found.

    Raises:
        InputError: an entry has no path, or nothing is there.
    """
    source = document.require("source")
    entries = source if isinstance(source, list) else [source]
    resolved = []
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or "path" not in entry:
            raise InputError(f"{document.path}: source[{position}]: needs the key 'path'")
        path = document.resolve_all(entry["path"])
        found = with_files(document, with_paths(document, entry), folder_of(path))
        resolved.append({**found, "path": path})
    return resolved


def read_sources(document: Document) -> Series:
    """Every source of a configuration as one series, offsets mended, duplicates dropped.

    Raises:
        InputError: what the readers refuse.
    """
    entries = resolved_sources(document)
    return joined(READERS.build(entries, "source", {"period": document.period}))


def joined(read: Sequence[Series]) -> Series:
    """One series of several sources, offsets of single dates mended, duplicates dropped."""
    series = merge(read)
    mend, suspicious, log = check_offsets(series)
    mended = series._replace(acquisitions=mend(series.acquisitions), log=[*series.log, *log])
    return drop_duplicates(mended, suspicious)


def check_offsets(series: Series) -> tuple[Mend, frozenset[str], list[dict[str, Any]]]:
    """Constant offsets of single products: how to mend them, whose they are, records for the log.

    Args:
        series: all of a run, or a sample of its pixels.
    """
    offsets = find_offsets(series.acquisitions, series.channels)
    log = [
        {"kind": "offset", **o._asdict(), "time": isoformat(o.time), "message": str(o)}
        for o in offsets
    ]

    def mend(acquisitions: Sequence[Acquisition]) -> list[Acquisition]:
        return corrected(acquisitions, offsets, series.channels)

    return mend, frozenset(o.product for o in offsets), log
