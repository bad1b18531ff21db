"""Which values are clear: the rules of the option ``clear``.

    clear:
      scl: [4, 5]                      only these values are clear
      qa: {bits: [1, 3, 4]}            these bits, counted from 0, must be unset
      cloud_probability: {max: 40}     within these limits, both included

A value is clear where every rule holds. A mask that was not given there (a fill value) is not
clear: silence is not evidence of a clear sky.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.types import InputError

Rule = Sequence[float] | Mapping[str, object] | float


def holds(rule: Rule, mask: xr.DataArray, where: str) -> xr.DataArray:
    """True where one rule holds, shape of `mask`.

    Args:
        rule: allowed values, ``{bits: [..]}``, or ``{min: .., max: ..}``.
        mask: the mask variable as read.
        where: file and key, for messages.

    Raises:
        InputError: the rule is none of these.
    """
    return mask.copy(data=_holds(rule, mask.values, where))


def _holds(rule: Rule, mask: NDArray, where: str) -> NDArray[np.bool_]:
    if isinstance(rule, Mapping):
        if set(rule) == {"bits"}:
            return _unset(rule["bits"], mask, where)
        if rule and set(rule) <= {"min", "max"}:
            low, high = rule.get("min", -np.inf), rule.get("max", np.inf)
            if all(_is_number(limit) for limit in (low, high)):
                return (mask >= low) & (mask <= high)
    elif _is_number(rule):
        return np.asarray(mask == rule)
    elif isinstance(rule, list | tuple) and rule and all(_is_number(value) for value in rule):
        return np.isin(mask, np.asarray(rule))
    raise InputError(
        f"{where}: '{rule}' is not a rule; write a list of allowed values, "
        "{bits: [..]} for bits that must be unset, or {min: .., max: ..}"
    )


def _unset(bits: object, mask: NDArray, where: str) -> NDArray[np.bool_]:
    """True where all of `bits` are 0 and the mask is a number."""
    wanted = bits if isinstance(bits, Sequence) and not isinstance(bits, str) else [bits]
    if not wanted or not all(type(bit) is int and 0 <= bit < 63 for bit in wanted):
        raise InputError(f"{where}: bits '{bits}' must be whole numbers counted from 0, as [1, 3]")
    known = np.isfinite(mask)
    flags = np.where(known, mask, 0).astype(np.int64)
    return known & ((flags & sum(1 << bit for bit in set(wanted))) == 0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
