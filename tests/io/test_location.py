"""Places of pixels: metres where the map is known, whatever the map."""

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.io.crs import from_lonlat
from releo_da.io.location import CELLS, MAP, METRES, places_of, unit_of
from releo_da.types import InputError

SEMI_MAJOR, SCALE = 6_378_137.0, 0.9996  # of WGS84 (m), and of UTM on its central meridian


def points(x, y, crs=None, ids=None):
    ids = np.arange(len(x)) if ids is None else ids
    pixels = xr.Dataset(coords={"id": ("pixel", ids)}, attrs={"kind": "point"})
    pixels = pixels.assign_coords(x=("pixel", np.asarray(x)), y=("pixel", np.asarray(y)))
    return pixels if crs is None else pixels.assign_attrs(crs=crs)


def grid(height=3, width=4, **coordinates):
    pixels = xr.Dataset(
        coords={"id": ("pixel", np.array([1, 5]))},
        attrs={"kind": "grid", "height": height, "width": width},
    )
    return pixels.assign_coords({k: (k, np.asarray(v)) for k, v in coordinates.items()})


def test_degrees_on_the_equator_and_along_a_meridian_are_metres():
    place = places_of(points([10.0, 10.001, 10.0], [0.0, 0.0, 0.001], "EPSG:4326"))
    p = place(torch.arange(3))
    step = np.radians(0.001)
    square = (2 - 1 / 298.257223563) / 298.257223563
    assert float((p[1] - p[0]).norm()) == pytest.approx(SEMI_MAJOR * step, rel=1e-9)
    north = SEMI_MAJOR * (1 - square) * step  # radius of curvature of the meridian
    assert float((p[2] - p[0]).norm()) == pytest.approx(north, rel=1e-7)


@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:3857"])
def test_places_do_not_depend_on_the_map(crs):
    lon, lat = np.array([1.4, 1.41, 1.45]), np.array([43.6, 43.61, 43.59])
    plain = places_of(points(lon, lat, "EPSG:4326"))(torch.arange(3))
    mapped = places_of(points(*from_lonlat(lon, lat, crs), crs))(torch.arange(3))
    assert (plain - mapped).abs().max() < 1e-4


def test_metres_of_a_utm_grid_are_metres_on_the_ground():
    pixels = grid(grid_x=373_000 + 10.0 * np.arange(4), grid_y=4_829_000 - 10.0 * np.arange(3))
    pixels = pixels.assign_attrs(crs="EPSG:32631")
    p = places_of(pixels)(torch.tensor([0, 1, 4]))
    for other in (1, 2):
        assert float((p[other] - p[0]).norm()) == pytest.approx(10.0 / SCALE, rel=4e-4)
    assert unit_of(pixels) == METRES


def test_every_id_of_a_grid_has_a_place_and_no_other():
    pixels = grid()  # the run holds two of twelve
    p = places_of(pixels)(torch.tensor([0, 5, 11, 12, 300]))
    assert p[:3].tolist() == [[0.0, 0.0], [1.0, 1.0], [3.0, 2.0]]
    assert torch.isnan(p[3:]).all() and unit_of(pixels) == CELLS


def test_points_without_a_coordinate_system_keep_their_unit():
    pixels = points([0.0, 3.0], [0.0, 4.0], ids=np.array([7, 2]))
    p = places_of(pixels)(torch.tensor([2, 7, 8]))
    assert p[:2].tolist() == [[3.0, 4.0], [0.0, 0.0]] and torch.isnan(p[2]).all()
    assert unit_of(pixels) == MAP


def test_what_has_no_place_is_refused():
    with pytest.raises(InputError, match="nothing says where its points lie"):
        places_of(xr.Dataset(coords={"id": ("pixel", [0])}, attrs={"kind": "point"}))
    with pytest.raises(InputError, match="where pixel 4 lies"):
        places_of(points([0.0, np.nan], [0.0, 1.0], ids=np.array([3, 4])))
