"""The picture of seasons of points: a line per kind, names of points, arrows at cut bounds."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.markers import CARETLEFTBASE, CARETRIGHTBASE

from releo_da.diagnostics.phenology import phenology_pictures
from releo_da.diagnostics.seasons import KINDS, Seasons
from releo_da.runs.seasons import kept, of_members

DAY = np.timedelta64(86_400, "s")


def of_run(centre: np.ndarray, names: list[str]) -> xr.Dataset:
    """phenology.nc of bells about days of 2020, ``[pixel, member]``, seen on days 60 to 300."""
    new_year = 18262.0
    days = np.arange(60.0, 301.0, 4.0)
    curves = 0.2 + 4.0 * np.exp(-0.5 * ((days - centre[..., None]) / 20.0) ** 2)
    members = np.moveaxis(curves, -1, 0)
    found = kept(of_members(new_year + days, members, Seasons("lai", 0.5)), Seasons("lai", 0.5))
    axes = ("number", "time", "point")
    dates = {
        name: (axes, np.datetime64("1970-01-01", "s") + values.astype(float) * DAY)
        for name, values in found.items()
        if name.split("_")[1] in KINDS and not name.endswith("cut")
    }
    coords = {
        "time": [np.datetime64("2020-01-01", "ns")],
        "point": np.arange(len(names)),
        "label": ("point", names),
    }
    return xr.Dataset({name: (axes, values) for name, values in found.items()} | dates, coords)


@pytest.mark.parametrize("members", [16, 20, 40])
def test_arrows_stand_where_the_bound_is_that_of_the_period(members: int) -> None:
    """Of each point one member more has risen before the period, or falls after it."""
    count = np.arange(6)[:, None] > np.arange(members)
    spread = np.random.default_rng(members).uniform(-9.0, 9.0, (6, members))
    centre = np.concatenate([np.where(count, 75.0, 150.0), np.where(count, 285.0, 210.0)])
    names = [f"field {k}" for k in range(12)]
    found = of_run(centre + np.tile(spread, (2, 1)), names)
    (picture,) = phenology_pictures(found)
    assert "Arrows" in picture.caption
    (axes,) = picture.figure.axes
    written = [text.get_text() for text in axes.get_yticklabels()]
    row = dict(zip(written, axes.get_yticks(), strict=True))
    assert set(row) == set(names)
    drawn = {
        marker: [round(y) for line in axes.lines if line.get_marker() == marker
                 for y in line.get_ydata()]
        for marker in (CARETLEFTBASE, CARETRIGHTBASE)
    }  # fmt: skip
    year = found.time.values[0]
    for marker, bound, edge in (
        (CARETLEFTBASE, "start_lower", 60.0), (CARETRIGHTBASE, "end_upper", 300.0),
    ):  # fmt: skip
        at = (found[f"lai_{bound}"].values[0, 0] - year) / np.timedelta64(1, "D")
        expected = [
            row[name] for name, day in zip(names, at, strict=True) if abs(day - edge) < 1e-3
        ]
        assert sorted(drawn[marker]) == sorted(expected)
        assert 2 <= len(expected) <= 5


def test_intervals_do_not_cover_each_other_and_many_points_have_no_names() -> None:
    rng = np.random.default_rng(0)
    centre = 180.0 + rng.uniform(-30.0, 30.0, (25, 20))
    (picture,) = phenology_pictures(of_run(centre, [f"field {k}" for k in range(25)]))
    (axes,) = picture.figure.axes
    starts = np.array([p.vertices[0] for c in axes.collections for p in c.get_paths()])
    heights = starts[np.isfinite(starts).all(1), 1]
    assert len(heights) == len(np.unique(heights)) == len(KINDS) * 25
    assert not axes.get_yticklabels()
