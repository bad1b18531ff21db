"""What is read of a file and how: the options that all readers have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import xarray as xr

from releo_da.io.angles import Option
from releo_da.io.auxiliary import FieldOption, own_columns
from releo_da.io.errors import ErrorOption
from releo_da.io.layout import Layout
from releo_da.io.masks import Rule
from releo_da.io.periods import CompositeOption
from releo_da.io.platforms import SensorOption
from releo_da.io.values import VALID, Name, Numbers


@dataclass(frozen=True)
class Content:
    """Options of a reader.

    Attributes:
        sensor: name in the catalogue, or `SensorOption`.
        values: the variable of reflectances, or the variable of each channel by agency's name.
        channels: ``{agency's name: name in the file}``; their order is that of the channel axis.
        clear: rules of `releo_da.io.masks`; all must hold.
        angles: sources of `releo_da.io.angles`.
        scale: reflectance = scale * number + offset, of all channels or of each.
        offset: see `scale`.
        fill: numbers that stand for a missing value.
        valid: reflectances outside (low, high] are rejected and counted.
        duplicates: which of several products of one pass is kept.
        product: variable along time that names the products.
        error: `releo_da.io.errors`, in the place of the sensor's noise.
        composite: `releo_da.io.periods`; what the values may change adds to their error.
        labels: variable that names the channels along their axis.
        auxiliary: static fields of `releo_da.io.auxiliary`.
    """

    sensor: SensorOption
    values: str | Mapping[str, str]
    channels: Mapping[str, Name]
    clear: Mapping[str, Rule] | None = None
    angles: Mapping[str, Option] | None = None
    scale: Numbers = 1.0
    offset: Numbers = 0.0
    fill: Sequence[float] = ()
    valid: Sequence[float] = VALID
    duplicates: str = "best"
    product: str | None = None
    error: ErrorOption | None = None
    composite: CompositeOption | None = None
    labels: str | None = None
    auxiliary: Mapping[str, FieldOption] | None = None


LENGTH = "<length>"
"""Variable of the data set in memory: days that the period of a composite lasts, along time."""


def with_named(dataset: xr.Dataset, layout: Layout, content: Content) -> xr.Dataset:
    """The file without variables along the first axis of space that no option names."""
    c = content
    named = _texts([c.values, c.channels, c.clear, c.angles, c.error, own_columns(c.auxiliary)])
    axis = layout.space[0]
    return dataset.drop_vars(
        [n for n, v in dataset.variables.items() if axis in v.dims and n not in named
         and n not in dataset.coords]
    )  # fmt: skip


def _texts(value: object) -> set[str]:
    """All texts of nested lists and mappings."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        return _texts([*value.keys(), *value.values()])
    return set().union(*map(_texts, value)) if isinstance(value, list | tuple) else set()
