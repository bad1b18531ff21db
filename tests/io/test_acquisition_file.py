"""The copy of an acquisition is the acquisition, or it is refused."""

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.io.acquisition_file import read_acquisition, write_acquisition
from releo_da.types import Acquisition, InputError

ACQUISITION = Acquisition(
    18383.451472800924,
    "sentinel2a",
    torch.rand(3, 2),
    torch.tensor([[0.1, torch.inf], [0.2, 0.1], [torch.inf, torch.inf]]),
    torch.rand(3, 3),
    "a product, numéro 1",
)
POINTS = xr.Dataset(
    coords={
        "id": ("pixel", np.array([1, 4, 9])),
        "x": ("pixel", np.array([0.1, 0.2, np.nan])),
        "label": ("pixel", np.array(["oak", "blé", ""], dtype=object)),
    },
    attrs={"kind": "point", "crs": "EPSG:4326"},
)
GRID = xr.Dataset(
    coords={
        "id": ("pixel", np.array([1, 4, 5])),
        "row": ("pixel", np.array([0, 1, 1])),
        "grid_x": ("grid_x", np.arange(3.0)),
        "slope": ("pixel", np.array([1, 2, 3], np.float32), {"units": "degree"}),
    },
    attrs={"kind": "grid", "height": np.int64(2), "width": 3},
)


@pytest.mark.parametrize("pixels", [POINTS, GRID], ids=["points", "grid"])
def test_it_comes_back_as_it_was(tmp_path, pixels):
    path = tmp_path / "a.safetensors"
    write_acquisition(path, ACQUISITION, pixels)
    found, axis = read_acquisition(path)
    for one, other in zip(found, ACQUISITION, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    assert axis.identical(pixels)
    assert {name: axis[name].dtype for name in axis.coords} == {
        name: pixels[name].dtype for name in pixels.coords
    }
    data = path.read_bytes()
    write_acquisition(path, found, axis)
    assert path.read_bytes() == data


def test_any_changed_byte_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    write_acquisition(path, ACQUISITION, POINTS)
    data = path.read_bytes()
    sound = ACQUISITION, POINTS
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(InputError, match="restore"):
            read_acquisition(path)
    for part in (b"", data[:4], data[:-1], bytes(len(data)), b"notes"):
        path.write_bytes(part)
        with pytest.raises(InputError, match="restore"):
            read_acquisition(path)
    write_acquisition(path, *sound)
    path.unlink()
    with pytest.raises(InputError, match="No such file"):
        read_acquisition(path)
