"""What an encoder has not met in training is told, and what it has met is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.config.encoder_range import beyond_training
from releo_da.config.encoder_weights import Kept
from releo_da.io.series import Series
from releo_da.representation.encoder import Encoder
from releo_da.types import Acquisition

PLACES = {"a": {"source": {"twin": {"place": [5.0, 52.0]}}}, "b": {"source": {"path": "x.nc"}},
          "c": {"source": {"twin": {"place": [-4.8, 37.9]}}}}  # fmt: skip
TRAINED = {"train": {"days": [60.0, 400.0], "series": PLACES}}


def kept(made: dict[str, Any]) -> Kept:
    return Kept(Encoder(("lai",), 8, 2, 1, 4), None, made, "", "e")


def series(latitude: float, gap: float) -> Series:
    nothing = torch.zeros(2, 0)
    times = [18000.0, 18005.0, 18005.0 + gap]
    seen = [Acquisition(t, "s", nothing, nothing, torch.zeros(2, 3)) for t in times]
    north = ("pixel", np.array([latitude, np.nan]))
    return Series(seen, xr.Dataset(coords={"id": ("pixel", [0, 1]), "lat": north}), [], {})


@pytest.mark.parametrize(
    ("latitude", "gap", "messages"),
    [
        (45.0, 30.0, []),
        (61.9, 400.0, []),
        (45.0, 401.0, ["nothing was seen for 401 days; .* windows of at most 400"]),
        (-34.0, 30.0, [r"1 of 1 pixels .* \(37.9 to 52 north\)"]),
        (-34.0, 900.0, ["900 days", "1 of 1 pixels"]),
    ],
)
def test_gaps_and_latitudes(latitude: float, gap: float, messages: list[str]) -> None:
    found = beyond_training(kept(TRAINED), series(latitude, gap))
    assert len(found) == len(messages)
    for record, message in zip(found, messages, strict=True):
        assert record["kind"] == "encoder_range"
        with pytest.raises(ValueError, match=message):
            raise ValueError(record["message"])


def test_latitudes_that_were_drawn_count() -> None:
    drawn = {"a": {**PLACES["a"], "vary": {"latitude": [30.0, 62.0]}}}
    made = {"train": {"days": [60.0, 400.0], "series": drawn}}
    assert not beyond_training(kept(made), series(70.0, 30.0))
    assert "30 to 62 north" in beyond_training(kept(made), series(73.0, 30.0))[0]["message"]


@pytest.mark.parametrize("made", [{}, {"train": "x"}, {"train": {"series": [1], "days": 3}}])
def test_weights_that_do_not_tell_are_not_judged(made: dict[str, Any]) -> None:
    assert beyond_training(kept(made), series(-34.0, 900.0)) == []
