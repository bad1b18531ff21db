"""The observation of components as they are."""

import pytest
import torch

from releo_da.observation.identity import Components, view_of
from releo_da.types import Acquisition


@pytest.mark.parametrize("network", [[0], [0, 1, 2], [1, 3, 5], [4, 0, 3], [2, 1]])
def test_every_channel_is_its_component(network):
    ensemble = torch.arange(24.0).reshape(2, 2, 6)
    nothing = torch.zeros(2, len(network))
    acquisition = Acquisition(0.0, "components", nothing, nothing, torch.zeros(2, 3))
    found = Components(network)(ensemble, acquisition)
    for channel, component in enumerate(network):
        assert torch.equal(found[..., channel], ensemble[..., component])


def test_a_requested_date_has_no_channel():
    asked = Acquisition(0.0, "", torch.zeros(1, 0), torch.zeros(1, 0), torch.zeros(1, 3))
    assert Components([0, 1])(torch.zeros(1, 5, 4), asked).shape == (1, 5, 0)


def test_equal_steps_are_a_view():
    assert view_of([1, 3, 5]) == slice(1, 6, 2)
    assert view_of([2]) == slice(2, 3, 1)
    assert view_of([2, 1]) == [2, 1]
    assert view_of([0, 1, 3]) == [0, 1, 3]
