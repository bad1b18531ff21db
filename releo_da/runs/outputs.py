"""Output variables of a run, written as its blocks come.

A map goes to its file row after row, so that its size does not matter. Points are few and their
file is written at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from releo_da.diagnostics.scores import Array
from releo_da.io import products_dataset, write_products
from releo_da.io.map_file import writing_map
from releo_da.io.products import Layer
from releo_da.io.tiles import cut
from releo_da.runs.compare import QUANTILES
from releo_da.runs.joined import products

Write = Callable[[Array, Mapping[str, Array]], None]
"""``write(ids, {variable: [statistic, time, pixel]})`` of some pixels, by ascending id."""


@contextmanager
def writing_outputs(
    path: str | Path,
    times: Sequence[float],
    pixels: xr.Dataset,
    described: Mapping[str, tuple[str, str]],
    attributes: Mapping[str, str],
    layers: Mapping[str, Layer] | None = None,
) -> Iterator[Write]:
    """A function that takes the output variables of pixels, for as long as the block lasts.

    Args:
        path: of the file, which is there when the block has ended without error.
        times: days since 1970-01-01.
        pixels: the pixel axis.
        described: unit and long name of each output variable.
        attributes: global ones.
        layers: variables beside them, that are no ensembles; `Write` takes ``[size, time, pixel]``.
    """
    if pixels.attrs["kind"] != "point":
        small, mine = cut(pixels)  # of a tile, its own rows and columns

        def write_cut(some: Array, values: Mapping[str, Array]) -> None:
            write(mine[np.searchsorted(pixels["id"].values, some)], values)

        with writing_map(
            path, times, small, described, QUANTILES, attributes, layers=layers
        ) as write:
            yield write if small is pixels else write_cut
        return
    ids: list[Array] = []
    parts: list[dict[str, Array]] = []

    def gather(some: Array, values: Mapping[str, Array]) -> None:
        ids.append(some)
        parts.append(dict(values))

    yield gather
    given = np.concatenate(ids)
    order = np.argsort(given)
    place = order[np.searchsorted(given, pixels["id"].values, sorter=order)]
    found = products([{n: part[n] for n in described} for part in parts], place, described)
    beside = {
        name: (layer, np.concatenate([part[name] for part in parts], -1)[..., place])
        for name, layer in (layers or {}).items()
    }
    write_products(path, products_dataset(times, pixels, found, attributes, beside))
