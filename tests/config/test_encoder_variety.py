"""What is drawn for every block that an encoder is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from releo_da.config.encoder_variety import checked, varied
from releo_da.config.natures import LATEST
from releo_da.types import InputError

TWIN: dict[str, Any] = {
    "nature": "phenology",
    "place": [6.0, 48.0],
    "cloud": {"cover": 0.5, "days": 3.0},
    "satellites": [{"sensor": name} for name in ("sentinel2a", "landsat8", "landsat9")],
}
RANGES = checked(
    {"latitude": [40, 56], "elevation": [0, 1000], "cover": [0.2, 0.6], "haze": [0.0, 0.02],
     "variety": [0, 2], "satellites": [1, 3]},
    "vary",
)  # fmt: skip


def test_what_is_drawn_lies_in_its_range_and_follows_from_the_generator() -> None:
    number, later = set(), []
    for seed in range(200):
        told, place = varied(TWIN, RANGES, np.random.default_rng(seed))
        assert (told, place) == varied(TWIN, RANGES, np.random.default_rng(seed))
        assert 40 <= place["latitude"] <= 56 and 0 <= place["elevation"] <= 1000
        assert told["place"] == [6.0, place["latitude"]]
        assert 0.2 <= told["cloud"]["cover"] <= 0.6 and told["cloud"]["days"] == 3.0
        assert 0 <= told["instrument"]["haze"] <= 0.02
        assert told["nature"]["name"] == "phenology" and 0 <= told["nature"]["variety"] <= 2
        number.add(tuple(s["sensor"] for s in told["satellites"]))
        expected = 4.0 * (place["latitude"] - 48.0) + 4.0 * place["elevation"] / 122.0
        later.append(told["nature"]["later"] - expected)
    assert len(number) == 7  # every choice of one to three, in their order
    assert abs(np.mean(later)) < 1.5 and 6.0 < np.std(later) < 8.0
    assert TWIN["cloud"] == {"cover": 0.5, "days": 3.0}


def test_no_season_is_drawn_later_than_a_land_may_be() -> None:
    ranges = {"latitude": (58.0, 58.0), "elevation": (800.0, 800.0)}
    told = [varied(TWIN, ranges, np.random.default_rng(k))[0]["nature"] for k in range(40)]
    late = [nature["later"] for nature in told]
    assert max(late) == LATEST and min(late) < LATEST


def test_a_truth_without_a_land_has_no_later_season() -> None:
    draws = {"truth": "mean_reverting", "place": [6.0, 48.0]}
    told, place = varied(draws, {"latitude": (60.0, 60.0)}, np.random.default_rng(0))
    assert told == {**draws, "place": [6.0, 60.0]} and place == {"latitude": 60.0}


def test_satellites_that_a_source_does_not_name_are_chosen_from_too() -> None:
    unnamed = {"nature": "phenology", "place": [6.0, 48.0]}
    for most, expected in (((1.0, 1.0), {1}), ((1.0, 2.0), {1, 2})):
        told = [
            varied(unnamed, {"satellites": most}, np.random.default_rng(seed))[0]["satellites"]
            for seed in range(20)
        ]
        assert {len(those) for those in told} == expected
        assert {s["sensor"] for those in told for s in those} == {"sentinel2a", "sentinel2b"}


@pytest.mark.parametrize("vary", [{"colour": [0, 1]}, {"haze": [1, 0]}, {"haze": 1}, ["haze"]])
def test_what_is_no_range_is_refused(vary: Any) -> None:
    with pytest.raises(InputError, match="vary"):
        checked(vary, "vary")
