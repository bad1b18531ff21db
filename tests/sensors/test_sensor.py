"""The catalogue against the agencies' published figures, and what a broken file is answered."""

from pathlib import Path

import pytest
import torch

from releo_da.sensors import instrument_error, load_sensor, read_sensor, sensor_names
from releo_da.types import InputError

# ESA, Sentinel-2 MSI user guide, spatial and spectral resolutions: centre and bandwidth (nm). The
# guide counts whole samples of the table, which is up to 2 nm more than the crossings of one half.
SENTINEL2A = {
    "B01": (442.7, 21), "B02": (492.4, 66), "B03": (559.8, 36), "B04": (664.6, 31),
    "B05": (704.1, 15), "B06": (740.5, 15), "B07": (782.8, 20), "B08": (832.8, 106),
    "B8A": (864.7, 21), "B09": (945.1, 20), "B10": (1373.5, 31), "B11": (1613.7, 91),
    "B12": (2202.4, 175),
}  # fmt: skip
SENTINEL2B = {
    "B01": (442.2, 21), "B02": (492.1, 66), "B03": (559.0, 36), "B04": (664.9, 31),
    "B05": (703.8, 16), "B06": (739.1, 15), "B07": (779.7, 20), "B08": (832.9, 106),
    "B8A": (864.0, 22), "B09": (943.2, 21), "B10": (1376.9, 30), "B11": (1610.4, 94),
    "B12": (2185.7, 185),
}  # fmt: skip
# Barsi et al. (2014), Remote Sensing 6, 10232, table 1: OLI band-average centre and width.
LANDSAT8 = {
    "B1": (442.96, 15.98), "B2": (482.04, 60.04), "B3": (561.41, 57.33), "B4": (654.59, 37.47),
    "B5": (864.67, 28.25), "B6": (1608.86, 84.72), "B7": (2200.73, 186.66), "B9": (1373.43, 20.39),
}  # fmt: skip

HEADER = "# source: a laboratory\nchannel,additive,multiplicative,first_nm,response\n"


@pytest.fixture(params=sensor_names())
def sensor(request):
    return load_sensor(request.param)


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_catalogue_has_the_satellites_of_the_main_job():
    assert {"sentinel2a", "sentinel2b", "landsat8", "landsat9"} <= set(sensor_names())


def test_responses_are_normalised_and_non_negative(sensor):
    assert sensor.response.shape == (len(sensor.channels), 2101)
    assert sensor.response.dtype == torch.float64
    assert (sensor.response >= 0).all()
    torch.testing.assert_close(
        sensor.response.sum(1),
        torch.ones(len(sensor.channels), dtype=torch.float64),
        rtol=0,
        atol=1e-12,
    )


def test_every_field_has_one_entry_per_channel(sensor):
    lengths = {len(field) for field in (sensor.centres, sensor.widths, sensor.additive)}
    assert lengths == {len(sensor.channels)} == {len(sensor.multiplicative)}
    assert len(set(sensor.channels)) == len(sensor.channels)
    assert sensor.source


@pytest.mark.parametrize(
    ("name", "published"),
    [("sentinel2a", SENTINEL2A), ("sentinel2b", SENTINEL2B), ("landsat8", LANDSAT8)],
)
def test_centres_and_widths_are_the_published_ones(name, published):
    sensor = load_sensor(name)
    assert sensor.channels == tuple(published)
    for channel, centre, width in zip(sensor.channels, sensor.centres, sensor.widths, strict=True):
        assert centre == pytest.approx(published[channel][0], abs=0.6), channel
        assert width == pytest.approx(published[channel][1], abs=2.0), channel


def test_landsat9_continues_landsat8():
    eight, nine = load_sensor("landsat8"), load_sensor("landsat9")
    assert eight.channels == nine.channels
    for one, other in zip(eight.centres, nine.centres, strict=True):
        assert one == pytest.approx(other, abs=1.0)
    assert not torch.equal(eight.response, nine.response)


def test_a_triangle_has_its_closed_form_centre_and_width(tmp_path):
    path = write(tmp_path, HEADER + "T,0.01,0.03,600," + "0 1 2 3 4 3 2 1 0\n")
    sensor = read_sensor(path)
    assert sensor.name == "mine"
    assert sensor.centres == pytest.approx((604.0,))
    assert sensor.widths == pytest.approx((4.0,))
    assert sensor.response[0, 204] == pytest.approx(4 / 16)


def test_a_line_of_one_wavelength_and_the_ends_of_the_grid_are_channels(tmp_path):
    path = write(tmp_path, HEADER + "A,0,0,400,7\nZ,0,0,2499,1 3\n")
    sensor = read_sensor(path)
    assert sensor.response[0, 0] == 1
    assert sensor.response[1, -1] == 0.75
    assert sensor.widths[0] == pytest.approx(1.0)


def test_instrument_error_adds_the_two_parts_in_quadrature(tmp_path):
    path = write(tmp_path, HEADER + "A,0.003,0.02,500,1\nB,0.01,0,600,1\n")
    values = torch.tensor([[0.2, 0.2], [0.0, 0.0]], dtype=torch.float32)
    error = instrument_error(read_sensor(path), values)
    assert error.dtype == torch.float32
    torch.testing.assert_close(error, torch.tensor([[0.005, 0.01], [0.003, 0.01]]))


def test_channel_positions_follow_the_order_asked_for():
    assert load_sensor("sentinel2a").index(["B8A", "B02"]) == (8, 1)


def test_a_sensor_is_loaded_once():
    assert load_sensor("landsat8") is load_sensor("landsat8")


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("sentinel-2a", "sentinel2a"), ("S2B", "sentinel2b"), ("Landsat_9", "landsat9")],
)
def test_an_unknown_sensor_is_answered_with_the_nearest_name(wrong, nearest):
    with pytest.raises(InputError, match=f"'{wrong}', did you mean '{nearest}'"):
        load_sensor(wrong)


@pytest.mark.parametrize(("wrong", "nearest"), [("B2", "B02"), ("b8a", "B8A"), ("Band 11", "B11")])
def test_an_unknown_channel_is_answered_with_the_nearest_name(wrong, nearest):
    with pytest.raises(InputError, match=f"sentinel2a has no channel '{wrong}'.*'{nearest}'"):
        load_sensor("sentinel2a").index([wrong])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'# source:' line"),
        ("# source:\nchannel\n", "'# source:' line"),
        ("# source: x\n", "lacks the column channel, additive"),
        ("# source: x\nchannel,additive,first_nm,response\n", "lacks the column multiplicative"),
        (HEADER, "has no channel"),
        (HEADER + "A,0,0,500,1\nA,0,0,600,1\n", "names a channel twice"),
        (HEADER + ",0,0,500,1\n", "line 3: the channel has no name"),
        (HEADER + "A,0,0,500,1\nB,0,x,500,1\n", "line 4, channel B, multiplicative: 'x'"),
        (HEADER + "A,-1,0,500,1\n", "channel A, additive: '-1' is not a finite number"),
        (HEADER + "A,0,0,500,1 nan 1\n", "channel A, response: 'nan'"),
        (HEADER + "A,0,0,500,1 -0.1 1\n", "channel A, response: '-0.1'"),
        (HEADER + "A,0,0,500\n", "the response is empty or zero"),
        (HEADER + "A,0,0,500,0 0\n", "the response is empty or zero"),
        (HEADER + "A,0,0,0.65,1 1\n", "within 400 to 2500 nm"),
        (HEADER + "A,0,0,399,1 1\n", "covers 399 to 400 nm"),
        (HEADER + "A,0,0,2500,1 1\n", "covers 2500 to 2501 nm"),
        (HEADER + "A,0,0,500.5,1 1\n", "whole nanometres"),
    ],
)
def test_a_broken_file_is_answered_with_its_place(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        read_sensor(path)
    assert str(path) in str(caught.value)


def test_a_missing_or_binary_file_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="absent.csv: No such file"):
        read_sensor(tmp_path / "absent.csv")
    path = tmp_path / "binary.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="not UTF-8"):
        read_sensor(path)
