"""Tables of features: order of places and columns, dates left out, names that are not there."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from releo_da.diagnostics.features import features
from releo_da.types import InputError

TIME = np.array(["2024-04-01T12", "2024-04-11T12", "2024-05-01T12"], "datetime64[ns]")


def of(*space: str) -> xr.Dataset:
    sizes = {"time": 3, **{axis: k + 2 for k, axis in enumerate(space)}}
    rng = np.random.default_rng(5)
    return xr.Dataset(
        {
            "lai": (tuple(sizes), rng.normal(size=tuple(sizes.values()))),
            "embedding": (("dimension", *sizes), rng.normal(size=(4, *sizes.values()))),
            "crs": ((), 0),
        },
        {"time": TIME},
    )


def test_a_row_per_point_a_column_per_date_and_dimension() -> None:
    found = of("point")
    table = features(found, ["lai", "embedding"])
    assert table.shape == (2, 3 + 4 * 3)
    assert (table[1, :3] == found.lai.values[:, 1]).all()
    assert (table[1, 3:] == found.embedding.values[:, :, 1].ravel()).all()


def test_places_of_a_map_go_row_by_row() -> None:
    found = of("y", "x")
    table = features(found, ["lai"])
    assert table.shape == (6, 3)
    assert (table[4] == found.lai.values[:, 1, 1]).all()


def test_later_dates_are_left_out() -> None:
    assert features(of("point"), ["lai"], until="2024-04-30").shape == (2, 2)
    with pytest.raises(InputError, match="no date of the file is before 2020"):
        features(of("point"), ["lai"], until="2020-01-01")


@pytest.mark.parametrize("name", ["ndvi", "crs"])
def test_what_is_no_series_is_named_with_what_is(name: str) -> None:
    with pytest.raises(InputError, match=f"no series '{name}'; it has lai, embedding"):
        features(of("point"), [name])
    with pytest.raises(InputError, match="at least one"):
        features(of("point"), [])
    with pytest.raises(InputError, match="no places"):
        features(of(), ["lai"])
