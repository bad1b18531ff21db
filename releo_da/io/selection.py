"""Which products, points and dates are kept: the options ``select`` and ``period``.

    select:
      product_uri: {excludes: N9999}     text that must not occur (or must: contains)
      tile: T32TMT                       one value, or a list of values
      point: [0, 5, 17]                  points by their position, or by the coordinate's values
      x: {min: 475000, max: 476000}      numbers within limits

An empty cell has no value: only ``excludes`` is true of it. Dates are compared with texts as texts.
A rule applies to a one-dimensional coordinate of time or of space; several rules must all hold.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.names import listed, refuse
from releo_da.io.times import Moment, isoformat, parse_moment, parse_period, to_days
from releo_da.types import InputError


def kept(
    dataset: xr.Dataset, dims: Sequence[str], rules: Mapping[str, object] | None, where: str
) -> dict[str, NDArray[np.intp]]:
    """Positions kept along each of `dims` by the rules of ``select``.

    Raises:
        InputError: a coordinate does not exist or is not one-dimensional, or a rule keeps nothing.
    """
    masks = {dim: np.ones(dataset.sizes[dim], dtype=bool) for dim in dims}
    for name, rule in (rules or {}).items():
        key = f"{where}: key 'select.{name}'"
        known = [str(n) for n, v in dataset.variables.items() if v.dims and v.dims[0] in dims]
        if name in dataset.variables:
            values = dataset[name]
        elif name in dims:
            values = xr.DataArray(np.arange(dataset.sizes[name]), dims=name)
        else:
            refuse(name, [*known, *dims], key, "coordinate")
        if values.ndim != 1 or values.dims[0] not in dims:
            raise InputError(
                f"{key}: it has the dimensions {tuple(values.dims)}; "
                f"select by a coordinate along one of {listed(dims)}"
            )
        passed = matches(values.values, rule, key)
        if not passed.any():
            raise InputError(
                f"{key}: nothing matches {rule!r}; the file has {listed(np.unique(values))}"
            )
        masks[str(values.dims[0])] &= passed
    for dim, mask in masks.items():
        if not mask.any():
            raise InputError(f"{where}: key 'select': no {dim} passes all rules; loosen one")
    return {dim: np.flatnonzero(mask) for dim, mask in masks.items()}


def matches(values: NDArray, rule: object, where: str) -> NDArray[np.bool_]:
    """True where a one-dimensional array of numbers, texts or times obeys a rule.

    Args:
        values: the array.
        rule: a value, a list of values, ``{contains: text}``, ``{excludes: text}`` (or lists of
            texts), ``{min: .., max: ..}``.
        where: file and key, for messages.

    Raises:
        InputError: the rule is none of these or does not fit the values.
    """
    if isinstance(rule, Mapping):
        if not rule or not set(rule) <= {"contains", "excludes", "min", "max"}:
            raise InputError(
                f"{where}: '{dict(rule)}' is not a rule; write a value, a list of values, "
                "{contains: text}, {excludes: text}, or {min: .., max: ..}"
            )
        passed = np.ones(len(values), dtype=bool)
        there = ~pd.isna(values)
        texts = np.where(there, values.astype(str), "")
        if "contains" in rule:
            passed &= _occurs(texts, rule["contains"])
        if "excludes" in rule:
            passed &= ~_occurs(texts, rule["excludes"])
        if not {"min", "max"} & set(rule):
            return passed
        ordered = values if values.dtype.kind in "iufbM" else texts
        if "min" in rule:
            passed &= there & (ordered >= _like(rule["min"], ordered, where))
        if "max" in rule:
            passed &= there & (ordered <= _like(rule["max"], ordered, where))
        return passed
    wanted = rule if isinstance(rule, list | tuple) else [rule]
    if len(wanted) > 1:
        _check_each(values, wanted, where)
    if values.dtype.kind in "iufb":
        return np.isin(values, [float(_like(value, values, where)) for value in wanted])
    if values.dtype.kind == "M":
        days = to_days(values)
        moments = [parse_moment(value, where) for value in wanted]  # type: ignore[arg-type]
        # A date means its whole day; a time of day means that second.
        return np.any([_same_moment(days, moment) for moment in moments], axis=0)
    return ~pd.isna(values) & np.isin(values.astype(str), [_text(value) for value in wanted])


def in_period(
    days: NDArray[np.float64], period: Sequence[Moment] | None, where: str
) -> NDArray[np.intp]:
    """Positions of the times inside the period.

    Raises:
        InputError: there is none; the message says what dates the file has.
    """
    start, end = parse_period(period, f"{where}: key 'period'")
    inside = np.flatnonzero((days >= start) & (days <= end))
    if inside.size == 0:
        span = f"{isoformat(days.min())} to {isoformat(days.max())}" if days.size else "no dates"
        raise InputError(
            f"{where}: no acquisition between {isoformat(start)} and {isoformat(end)}; "
            f"the file has {days.size} from {span}. Change 'period' to overlap them"
        )
    return inside


def _check_each(values: NDArray, wanted: Sequence[object], where: str) -> None:
    """Refuse a list of which one value is nowhere: probably a slip that would go unnoticed.

    Raises:
        InputError: naming it, unless none is there, which the caller tells.
    """
    absent = [value for value in wanted if not matches(values, value, where).any()]
    if absent and len(absent) < len(wanted):
        raise InputError(
            f"{where}: nothing matches {listed(repr(value) for value in absent)} of {wanted!r}; "
            f"there is {listed(np.unique(values.astype(str)))}. Correct or leave out the name, or "
            "write {contains: [..]}, which need not all be there"
        )


def _occurs(texts: NDArray, wanted: object) -> NDArray[np.bool_]:
    """True where one of the wanted texts occurs."""
    parts = wanted if isinstance(wanted, list | tuple) else [wanted]
    return np.array([any(str(part) in text for part in parts) for text in texts], dtype=bool)


def _same_moment(days: NDArray, moment: float) -> NDArray[np.bool_]:
    second = 1 / 86_400
    if moment == np.floor(moment):
        return (days >= moment) & (days < moment + 1)
    return np.abs(days - moment) < second


def _text(value: object) -> str:
    """A value as text; of a date, as YAML reads it without quotes, that of ISO 8601."""
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def _like(value: object, values: NDArray, where: str) -> Any:
    """A limit or wanted value in the type of the array.

    Raises:
        InputError: it cannot be compared with the array's values.
    """
    if values.dtype.kind == "M":
        if isinstance(value, str | int | float) or hasattr(value, "year"):
            return np.datetime64(isoformat(parse_moment(value, where)))  # type: ignore[arg-type]
    elif values.dtype.kind in "iufb":
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            pass
    elif isinstance(value, str | datetime.date):
        return _text(value)
    raise InputError(
        f"{where}: '{value}' cannot be compared with values such as {listed(values[:3])}"
    )
