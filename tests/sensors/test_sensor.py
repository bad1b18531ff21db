"""Files of sensors: what is read from them, and what a broken one is answered."""

from pathlib import Path

import pytest
import torch

from releo_da.sensors import instrument_error, load_sensor, read_sensor
from releo_da.types import InputError

HEADER = "# source: a laboratory\nchannel,additive,multiplicative,first_nm,response\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


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


def test_gaussian_rows_have_their_centre_and_width(tmp_path):
    head = "# source: a laboratory\nchannel,additive,multiplicative,centre_nm,width_nm\n"
    sensor = read_sensor(write(tmp_path, head + "A,0.01,0.03,600.4,20\nL,0,0,700,1\n"))
    assert sensor.centres == pytest.approx((600.4, 700.0))
    assert sensor.widths == pytest.approx((20.0, 1.067), rel=0.01)
    w = torch.arange(400, 2501, dtype=torch.float64)
    sigma = 20 / 2.354820045
    expected = torch.exp(-0.5 * ((w - 600.4) / sigma) ** 2)
    torch.testing.assert_close(sensor.response[0], expected / expected.sum(), rtol=0, atol=1e-6)
    assert sensor.forms == ("Gaussian", "Gaussian")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("A,0,0,400,10", "channel A: 50% of the response lies outside 400 to 2500 nm"),
        ("A,0,0,3000,10", "channel A: 100% of the response lies outside"),
        ("A,0,0,0.65,30", "channel A, centre_nm: 0.65 is in um; give nanometres"),
        ("A,0,0,650,0", "a width of 0 nm"),
        ("A,0,0,650,0.03", "a width of 0.03 nm looks like um; give the full width at half"),
        ("A,0,0,2190,0.18", "a width of 0.18 nm looks like um"),
        ("A,0,0,650", "line 3: 4 cells under 5 columns"),
        ("A,0,0,650,", "channel A, width_nm: '' is not a finite number"),
    ],
)
def test_a_broken_gaussian_row_is_answered_with_its_place(tmp_path, row, message):
    head = "# source: a laboratory\nchannel,additive,multiplicative,centre_nm,width_nm\n"
    with pytest.raises(InputError, match=message):
        read_sensor(write(tmp_path, head + row + "\n"))


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
    with pytest.raises(
        InputError, match=rf"'{wrong}'; did you mean '{nearest}'\? the catalogue has"
    ):
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
        (HEADER + "A,0,0,500,1\nA,0,0,600,1\n", "names the channel A twice"),
        (HEADER + ",0,0,500,1\n", "line 3: the channel has no name"),
        (HEADER + "A,0,0,500,1\nB,0,x,500,1\n", "line 4, channel B, multiplicative: 'x'"),
        (HEADER + "A,-1,0,500,1\n", "channel A, additive: '-1' is not a finite number"),
        (HEADER + "A,0,0,500,1 nan 1\n", "channel A, response: 'nan'"),
        (HEADER + "A,0,0,500,1 -0.1 1\n", "channel A, response: '-0.1'"),
        (HEADER + "A,0,0,500\n", "line 3: 4 cells under 5 columns"),
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
