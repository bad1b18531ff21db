"""Which values a run hides from itself, and which of them are scored."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from releo_da.runs.withhold import Withhold, WithholdChannel, WithholdSensor
from releo_da.types import Acquisition, InputError


def passes(seen: dict[tuple[float, str], Sequence[int]]) -> list[Acquisition]:
    """Acquisitions at given times; 1 for each pixel that was seen."""
    return [
        Acquisition(
            time,
            sensor,
            torch.zeros(len(mask), 1),
            torch.tensor([[0.01 if one else torch.inf] for one in mask]),
            torch.zeros(len(mask), 3),
        )
        for (time, sensor), mask in seen.items()
    ]


SERIES = passes(
    {
        (10.2, "a"): [1, 1],
        (11.9, "b"): [1, 1],
        (13.1, "b"): [1, 0],
        (14.0, "a"): [0, 1],
        (14.9, "b"): [1, 1],
        (30.0, "b"): [1, 1],
    }
)


def test_a_sensor_is_hidden_whole_and_scored_beside_another() -> None:
    """Calendar days count: 10.2 and 11.9 are a day apart; a pair needs both on the same pixel."""
    hidden, scored, _ = WithholdSensor("b", 1).held(SERIES, {})["smoothed"]
    assert hidden.astype(int).tolist() == [[0, 1, 1, 0, 1, 1], [0, 1, 0, 0, 1, 1]]
    assert scored.astype(int).tolist() == [[0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0]]


def test_every_value_of_the_sensor_is_scored_unless_days_are_given() -> None:
    hidden, scored, _ = WithholdSensor("b").held(SERIES, {})["smoothed"]
    assert np.array_equal(hidden, scored)
    nothing = WithholdSensor("a", 0).held(SERIES, {})["smoothed"].scored
    assert nothing.astype(int).tolist() == [[0] * 6, [0, 0, 0, 1, 0, 0]]


def test_dates_by_number_are_hidden_and_scored_alike() -> None:
    held = Withhold(3, "all").held(SERIES, {})
    assert set(held) == {"smoothed_0", "smoothed_1", "smoothed_2"}
    assert all(np.array_equal(one.hidden, one.scored) for one in held.values())


def test_what_several_sources_saw_on_one_day_is_hidden_together() -> None:
    series = passes(
        {
            (10.2, "a"): [1],
            (12.1, "a"): [1],
            (12.1, "b"): [1],
            (12.4, "b"): [0],
            (14.0, "b"): [1],
            (16.0, "a"): [1],
        }
    )
    held = Withhold(3, "all").held(series, {})
    hidden = {case: one.hidden.astype(int).tolist() for case, one in held.items()}
    assert hidden == {
        "smoothed_0": [[0, 0, 0, 0, 0, 0]],
        "smoothed_1": [[0, 1, 1, 0, 0, 0]],
        "smoothed_2": [[0, 0, 0, 0, 1, 0]],
    }


@pytest.mark.parametrize("sensor", ["c", "a"])
def test_a_sensor_that_is_not_there_or_alone_is_refused(sensor: str) -> None:
    series = [a for a in SERIES if a.sensor == "a"] if sensor == "a" else SERIES
    with pytest.raises(InputError, match=f"cannot withhold the sensor '{sensor}'"):
        WithholdSensor(sensor).held(series, {})


CHANNELS = {"sentinel2a": ("B04", "B08"), "landsat8": ("B5", "B4")}


def two_sensors() -> list[Acquisition]:
    """Two channels each; the second pixel of the first sensor lacks its B08."""
    one, other = passes({(10.2, "sentinel2a"): [1, 1], (11.9, "landsat8"): [1, 0]})
    one, other = (
        a._replace(values=torch.ones(2, 2), error=a.error.repeat(1, 2)) for a in (one, other)
    )
    one.error[1, 1] = torch.inf
    return [one, other]


def test_a_channel_is_hidden_and_scored_wherever_it_was_seen() -> None:
    held = WithholdChannel("B08").held(two_sensors(), CHANNELS)["smoothed"]
    assert held.hidden.astype(int).tolist() == [[1, 0], [0, 0]]
    assert np.array_equal(held.hidden, held.scored)
    assert held.of("B08") and not held.of("B04") and not held.of("ndvi")
    assert Withhold(3, 0).held(two_sensors(), CHANNELS)["smoothed"].of("ndvi")


def test_what_may_be_learned_from() -> None:
    """All but the channel, all but the sensor, or everything, whose values stay as they are."""
    series = two_sensors()
    shown = WithholdChannel("B08").shown(series, CHANNELS)
    assert [a.seen.tolist() for a in shown] == [
        [[True, False], [True, False]], [[True, True], [False, False]]
    ]  # fmt: skip
    assert all(torch.equal(a.values, b.values) for a, b in zip(shown, series, strict=True))
    assert [a.sensor for a in WithholdSensor("landsat8").shown(series, CHANNELS)] == ["sentinel2a"]
    assert Withhold().shown(series, CHANNELS) == series


@pytest.mark.parametrize(
    ("channel", "channels"), [("B99", CHANNELS), ("B04", {"sentinel2a": ("B04",)})]
)
def test_a_channel_that_is_not_there_or_alone_is_refused(
    channel: str, channels: dict[str, tuple[str, ...]]
) -> None:
    with pytest.raises(InputError, match=f"cannot withhold the channel '{channel}'"):
        WithholdChannel(channel).held(two_sensors()[:1], channels)


def test_which_channels_may_be_seen() -> None:
    s2, l8 = CHANNELS["sentinel2a"], CHANNELS["landsat8"]
    assert Withhold().visible(CHANNELS) == CHANNELS
    assert WithholdSensor("landsat8").visible(CHANNELS) == {"sentinel2a": s2}
    found = WithholdChannel("B08").visible(CHANNELS)
    assert found == {"sentinel2a": tuple(n for n in s2 if n != "B08"), "landsat8": l8}
