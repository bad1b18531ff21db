"""`verification.nc`: what was predicted of every observed value, in a few numbers each.

Ensembles are too large to keep; what scores and figures need of them is not. The data set has the
dimensions ``case, time, pixel, channel``. A case says which prediction was compared: `background`
(before the value was assimilated), `analysis` (after), `smoothed` (of withheld values) and
`forecast_10` (10 days ahead). NDVI is one more channel. Variables:

    observed   [time, pixel, channel]         the value as seen
    mean, sd   [case, time, pixel, channel]   of the predicted observation, its error included
    crps       [case, time, pixel, channel]
    crps_fair  [case, time, pixel, channel]   what an infinite ensemble of the kind would score
    rank       [case, time, pixel, channel]   number of members below the value
    q05 .. q95 [case, time, pixel, channel]   quantiles of the predicted observation
    rejected   [time, pixel, channel]         1 where screening refused the value

NaN means that a value was not part of a case. Everything in scores.json about observed values is
recomputed from here by `summaries`, without the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import xarray as xr

from releo_da.diagnostics.scores import Array, summarise_records
from releo_da.types import InputError

FIELDS = ("observed", "mean", "sd", "crps", "crps_fair", "rank", "q05", "q25", "q50", "q75", "q95")
SUMMED = ("observed", "mean", "sd", "crps", "q05", "q95", "crps_fair")
"""Fields that make a row of scores.json, in the order of `summarise_records`."""

PLACE = ("case", "time", "pixel", "channel")
MEANING = {
    "mean": "mean of the predicted observation",
    "sd": "standard deviation of the predicted observation, observation error included",
    "crps": "continuous ranked probability score",
    "crps_fair": "the same of an infinite ensemble of the same distribution (Ferro 2014)",
    "rank": "members below the observation",
}


class Record(NamedTuple):
    """What one case said of one acquisition.

    Attributes:
        case: "background", "analysis", "smoothed", "forecast_10", ...
        date: position of the acquisition on the time axis.
        channels: names along the channel axis of `numbers`.
        numbers: ``[pixel, channel, field]`` by `FIELDS`, NaN where nothing was compared.
        rejected: ``[pixel, channel]`` bool or None; may have fewer channels (no NDVI).
    """

    case: str
    date: int
    channels: tuple[str, ...]
    numbers: Array
    rejected: Array | None = None


class Tables:
    """Records in the tables of a data set, block by block: a record is needed no more once added.

    Memory: 4 bytes per comparison and field; for a moment twice that where a block brings a case or
    a channel that none before it had.

    Args:
        dates: length of the time axis.
        pixels: length of the pixel axis.

    Attributes:
        cases: names along the case axis, in order of appearance.
        channels: names along the channel axis, likewise.
        tables: by `FIELDS`, ``[case, time, pixel, channel]``; "observed" has no case.
        rejected: ``[time, pixel, channel]``.
    """

    def __init__(self, dates: int, pixels: int) -> None:
        self.cases: list[str] = []
        self.channels: list[str] = []
        nothing = np.empty((dates, pixels, 0), np.float32)
        self.tables = {n: nothing if n == "observed" else nothing[None][:0] for n in FIELDS}
        self.rejected = np.empty(nothing.shape, np.int8)

    def add(self, records: Sequence[Record], rows: Array) -> None:
        """Take the records of some pixels.

        Args:
            records: in any order.
            rows: ``[pixel]`` where their pixels lie on the pixel axis.

        Raises:
            InputError: a record has other pixels or fields.
        """
        cases = list(dict.fromkeys([*self.cases, *(r.case for r in records)]))
        channels = list(dict.fromkeys([*self.channels, *(n for r in records for n in r.channels)]))
        if (cases, channels) != (self.cases, self.channels):
            self._grow(cases, channels)
        for record in records:
            expected = (len(rows), len(record.channels), len(FIELDS))
            if record.numbers.shape != expected:
                raise InputError(
                    f"a record of {record.case} at date {record.date} has shape "
                    f"{record.numbers.shape}, the data set needs {expected}"
                )
            columns = np.array([self.channels.index(name) for name in record.channels])
            case, place = self.cases.index(record.case), np.ix_(rows, columns)
            for name, numbers in zip(FIELDS, np.moveaxis(record.numbers, -1, 0), strict=True):
                if name == "observed":
                    table = self.tables[name][record.date]
                    numbers = np.where(np.isfinite(numbers), numbers, table[place])
                else:
                    table = self.tables[name][case, record.date]
                # What a free run that overflows says is beyond float32: infinite in the file.
                with np.errstate(over="ignore"):
                    table[place] = numbers
            if record.rejected is not None:
                place = np.ix_(rows, columns[: record.rejected.shape[1]])
                self.rejected[record.date][place] |= np.asarray(record.rejected, bool)

    def dataset(
        self, times: Array, sensors: Sequence[str], pixels: Array, members: int
    ) -> xr.Dataset:
        """The tables as the data set of `verification`, which shares their memory."""
        axes = times, sensors, pixels, self.cases, self.channels
        return dataset(*axes, self.tables, self.rejected, members)

    def _grow(self, cases: list[str], channels: list[str]) -> None:
        """Make room for cases and channels, the first of which are those there are."""
        shape = *self.rejected.shape[:2], len(channels)
        for name, held in self.tables.items():
            wide = shape if name == "observed" else (len(cases), *shape)
            self.tables[name] = within_larger(held, np.full(wide, np.nan, np.float32))
        self.rejected = within_larger(self.rejected, np.zeros(shape, np.int8))
        self.cases, self.channels = cases, channels


def within_larger(held: Array, larger: Array) -> Array:
    """A larger array that begins with what is held."""
    larger[tuple(map(slice, held.shape))] = held
    return larger


def verification(
    times: Array, sensors: Sequence[str], pixels: Array, records: Iterable[Record], members: int
) -> xr.Dataset:
    """Gathers records into one data set.

    Args:
        times: ``[time]`` days since 1970-01-01 of the acquisitions.
        sensors: ``[time]`` the name of the sensor of each.
        pixels: ``[pixel]`` ids.
        records: of all pixels, in any order; the channel axis is the union of theirs, in order of
            appearance.
        members: size of the ensemble, for ranks.

    Raises:
        InputError: where a record has other pixels or fields than the data set.
    """
    tables = Tables(len(times), len(pixels))
    tables.add(list(records), np.arange(len(pixels)))
    return tables.dataset(times, sensors, pixels, members)


def dataset(
    times: Array,
    sensors: Sequence[str],
    pixels: Array,
    cases: Sequence[str],
    channels: Sequence[str],
    tables: dict[str, Array],
    rejected: Array,
    members: int,
) -> xr.Dataset:
    """The tables with their coordinates and their meaning."""
    variables = {
        name: (PLACE[1:] if name == "observed" else PLACE, table, {"long_name": meaning(name)})
        for name, table in tables.items()
    }
    told = {"long_name": "1 where screening refused the value"}
    instants = np.round(np.asarray(times, float) * 86_400e3).astype("datetime64[ms]")
    return xr.Dataset(
        {**variables, "rejected": (PLACE[1:], rejected, told)},
        {
            "case": list(cases),
            "time": instants.astype("datetime64[ns]"),
            "pixel": np.asarray(pixels),
            "channel": list(channels),
            "sensor": ("time", np.asarray(sensors, str)),
        },
        {"members": int(members), "title": "observations and what was predicted of them"},
    )


def meaning(field: str) -> str:
    """The long name of a field."""
    if field.startswith("q"):
        return f"{int(field[1:])} % quantile of the predicted observation"
    return MEANING.get(field, field)


def beside_truth(found: xr.Dataset) -> xr.Dataset:
    """The records of a twin under their true names: no observation, and no error of one, is in.

    Args:
        found: of `verification`, whose ``observed`` is the truth.
    """
    told = found.assign_attrs(title="estimates of a twin experiment beside the truth")
    told["observed"].attrs["long_name"] = "truth"
    for name in (n for n in FIELDS if n != "observed"):
        text = meaning(name).replace("predicted observation", "estimate")
        told[name].attrs["long_name"] = text.replace(", observation error included", "")
    return told


def summaries(found: xr.Dataset, case: str) -> dict[str, dict[str, float]]:
    """Rows of scores.json per channel, ``{channel: row}``; channels without values are left out.

    Raises:
        InputError: where the data set does not hold the case.
    """
    if case not in found.case.values:
        held = ", ".join(map(str, found.case.values))
        raise InputError(f"verification holds no case {case!r}; it holds {held}")
    said = found.sel(case=case)
    rows = {}
    for name in map(str, found.channel.values):
        one = said.sel(channel=name)
        row = summary(one)
        if row["n"]:
            rows[name] = row
    return rows


def summary(found: xr.Dataset) -> dict[str, float]:
    """The row of scores.json of all values of a data set with the variables `SUMMED`.

    Runs of a time when the fair CRPS was not kept have a row without it.
    """
    return summarise_records(*(found[name].values for name in SUMMED if name in found))


Held = TypeVar("Held", xr.Dataset, xr.DataArray)


def within(found: Held, first: float, last: float) -> Held:
    """The part of a data set with times from ``first`` up to, not including, ``last`` (days)."""
    days = found.time.values.astype("datetime64[ms]").astype(np.int64) / 86_400e3
    return found.isel(time=(days >= first) & (days < last))
