"""What is hidden: shares as asked, every kind as it is described, and nothing at difficulty 0."""

from __future__ import annotations

import math

import pytest
import torch

from releo_da.learning.hiding import KINDS, Hiding, hide, without
from releo_da.types import Acquisition

PIXELS, CHANNELS = 2000, 6
NONE = dict.fromkeys(KINDS, 0.0)
CENTRES = {"a": [490, 560, 665, 842, 865, 1610], "b": [480, 560, 655, math.nan, 865, 1610]}


def acquisitions() -> list[Acquisition]:
    """Two sensors, every five days in turn."""
    values = torch.full((PIXELS, CHANNELS), 0.3)
    return [
        Acquisition(5.0 * k, "ab"[k % 2], values, values * 0.1, torch.zeros(PIXELS, 3))
        for k in range(40)
    ]


def masks(hiding: Hiding, seed: int = 0) -> torch.Tensor:
    """``[acquisition, pixel, channel]``."""
    return torch.stack(hide(acquisitions(), hiding, torch.Generator().manual_seed(seed), CENTRES))


def test_single_dates_are_hidden_whole() -> None:
    hidden = masks(Hiding(**{**NONE, "dates": 0.3}))
    assert torch.equal(hidden.all(-1), hidden.any(-1))
    assert float(hidden.float().mean()) == pytest.approx(0.3, abs=0.01)


def test_channels_are_hidden_in_part() -> None:
    hidden = masks(Hiding(**{**NONE, "channels": 0.4}))
    assert float(hidden.float().mean()) == pytest.approx(0.2, abs=0.01)
    assert float(hidden.any(-1).float().mean()) == pytest.approx(0.4, abs=0.02)


def test_a_sensor_is_hidden_from_beginning_to_end() -> None:
    hidden = masks(Hiding(**{**NONE, "sensors": 0.5}))
    for first in (0, 1):
        whole = hidden[first::2].all(-1)
        assert torch.equal(whole.all(0), whole.any(0))
        assert float(whole[0].float().mean()) == pytest.approx(0.25, abs=0.04)
    assert not (hidden[0] & hidden[1]).any()


def test_a_period_is_one_stretch() -> None:
    hidden = masks(Hiding(**{**NONE, "periods": 1.0, "days": (20.0, 40.0)})).all(-1)
    turns = (hidden[1:] != hidden[:-1]).sum(0)
    assert int(turns.max()) <= 2
    inside = hidden.sum(0)[~hidden[0] & ~hidden[-1]]
    assert int(inside.min()) >= 4 and int(inside.max()) <= 8


def test_a_wavelength_is_hidden_of_all_sensors_on_all_dates() -> None:
    hidden = masks(Hiding(**{**NONE, "wavelengths": 0.6}))
    one, other = hidden[0], hidden[1]
    assert torch.equal(hidden[0::2], one.expand(20, -1, -1))
    assert torch.equal(hidden[1::2], other.expand(20, -1, -1))
    assert float(one.any(1).float().mean()) == pytest.approx(0.6, abs=0.04)
    for channel in (0, 1, 2, 4, 5):  # 490 with 480, 665 with 655
        assert one[:, channel].any() and torch.equal(one[:, channel], other[:, channel])
    assert torch.equal(one[:, 3], one[:, 4])  # 842 with 865
    assert not other[:, 3].any()  # an index has no wavelength
    assert int(one[:, [0, 1, 2, 4, 5]].sum(1).max()) == 1
    nothing = hide(acquisitions(), Hiding(**{**NONE, "wavelengths": 1.0}), torch.Generator())
    assert not torch.stack(nothing).any()


def test_difficulty_scales_all_of_it() -> None:
    assert not masks(Hiding(difficulty=0.0)).any()
    shares = [float(masks(Hiding(difficulty=d)).float().mean()) for d in (0.5, 1.0, 2.0)]
    assert shares == sorted(shares) and shares[-1] > 1.5 * shares[0]
    assert Hiding(dates=0.8, difficulty=2.0).share("dates") == 1.0


def test_the_same_generator_hides_the_same_and_what_is_hidden_is_not_seen() -> None:
    one, other = masks(Hiding()), masks(Hiding())
    assert torch.equal(one, other) and not torch.equal(one, masks(Hiding(), 1))
    a = without(acquisitions()[0], one[0])
    assert torch.equal(a.seen, ~one[0])
    assert torch.equal(a.precision > 0, ~one[0]) and not a.values[one[0]].any()
    assert hide([], Hiding(), torch.Generator()) == []
