"""An acquisition is who its content says, wherever it was found."""

import pytest
import torch

from releo_da.cycling.identity import identity
from releo_da.types import Acquisition

IDS = torch.tensor([3, 5, 8])


def acquisition(**changes):
    values = torch.tensor([[0.1, 0.2], [0.0, 0.0], [0.3, 0.0]])
    error = torch.tensor([[0.01, 0.01], [torch.inf, torch.inf], [0.01, torch.inf]])
    angles = torch.zeros(3, 3)
    return Acquisition(17000.5, "sentinel2a", values, error, angles, "one")._replace(**changes)


def test_pixels_that_saw_nothing_do_not_matter():
    whole = acquisition()
    part = [0, 2]
    smaller = whole._replace(
        values=whole.values[part], error=whole.error[part], angles=whole.angles[part]
    )
    assert identity(whole, IDS) == identity(smaller, IDS[part])


@pytest.mark.parametrize(
    "change",
    [
        {"time": 17000.500000001},
        {"sensor": "sentinel2b"},
        {"values": acquisition().values + torch.tensor([1e-7, 0.0])},
        {"error": acquisition().error * 2.0},
        {"angles": acquisition().angles + torch.tensor([[0.0, 0.0, 1e-5]])},
        {"product": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_content_matters(change):
    assert identity(acquisition(), IDS) != identity(acquisition(**change), IDS)


def test_the_place_matters():
    assert identity(acquisition(), IDS) != identity(acquisition(), torch.tensor([3, 5, 9]))
