"""Channels of one name are scored together only where they see the same light."""

import pytest

from releo_da.sensors import channel_of, labels, load_sensor, sensor_names
from releo_da.types import InputError

TWO = ("B02", "B04", "B05", "B06", "B07")


def test_names_that_mean_one_wavelength_stay() -> None:
    """Satellites of one series, and the blue and red of two agencies, differ by a few nm."""
    series = {name: ("B04", "B05", "B8A", "B12") for name in ("sentinel2a", "sentinel2b")}
    assert labels(series) == series
    pair = {"sentinel2a": ("B02", "B03", "B04"), "hls_l30": ("B02", "B03", "B04")}
    assert labels(pair) == pair


def test_names_that_mean_two_wavelengths_go_with_them() -> None:
    found = labels({"hls_s30": TWO, "hls_l30": TWO})
    assert found["hls_s30"] == ("B02", "B04", "B05_704nm", "B06_740nm", "B07_783nm")
    assert found["hls_l30"] == ("B02", "B04", "B05_865nm", "B06_1609nm", "B07_2201nm")
    # A third satellite joins the group that it belongs to, by the name of its first sensor.
    three = labels({"sentinel2a": ("B05",), "hls_l30": ("B05",), "sentinel2c": ("B05",)})
    assert three["sentinel2a"] == three["sentinel2c"] != three["hls_l30"]


def test_a_label_leads_back_to_its_channel() -> None:
    channels = {name: load_sensor(name).channels for name in sensor_names()}
    for name, found in labels(channels).items():
        assert tuple(channel_of(label, load_sensor(name)) for label in found) == channels[name]


def test_a_channel_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match="hls_l30 has no channel 'B8A'"):
        labels({"hls_l30": ("B8A",)})
