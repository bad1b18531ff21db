"""What is assimilated, hidden and asked, in one order of time."""

from __future__ import annotations

import math

import torch

from releo_da.runs.timeline import hide, merged, requests
from releo_da.types import Acquisition


def acquisition(time: float, product: str = "") -> Acquisition:
    values = torch.full((3, 2), 0.3)
    return Acquisition(
        time, "s", values, torch.full_like(values, 0.1), torch.full((3, 3), time), product
    )


def test_hidden_pixels_keep_their_values_and_lose_their_weight() -> None:
    a = acquisition(1.0)
    b = hide(a, torch.tensor([True, False, True]))
    assert torch.equal(b.values, a.values)
    assert (b.error[[0, 2]] == math.inf).all()
    assert torch.equal(b.error[1], a.error[1])
    assert b.seen.any(-1).tolist() == [False, True, False]
    assert a.seen.all()  # the input is as it was


def test_requests_have_no_channels_and_the_angles_of_the_nearest_pass() -> None:
    passes = [acquisition(t) for t in (1.0, 6.0, 11.0)]
    asked = requests([9.0, 2.0, 2.0, 30.0], passes)
    assert [a.time for a in asked] == [2.0, 9.0, 30.0]
    assert [float(a.angles[0, 0]) for a in asked] == [1.0, 11.0, 11.0]
    assert all(a.values.shape == (3, 0) and a.error.shape == (3, 0) for a in asked)
    assert not any(a.sensor for a in asked)


def test_a_request_comes_after_the_acquisitions_of_its_time() -> None:
    passes = [acquisition(1.0, "a"), acquisition(6.0, "b"), acquisition(6.0, "c")]
    line = merged(passes, requests([6.0, 0.5, 1.0], passes))
    assert [(a.time, a.product) for a in line] == [
        (0.5, ""), (1.0, "a"), (1.0, ""), (6.0, "b"), (6.0, "c"), (6.0, ""),
    ]  # fmt: skip
    assert merged(passes, []) == passes
