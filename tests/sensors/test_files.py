"""Tables and descriptions of sensors: what is read from them, and what a broken one is answered."""

from pathlib import Path

import numpy as np
import pytest
import torch

from releo_da.sensors import load_sensor, read_sensor
from releo_da.sensors.indices import combine, find_index
from releo_da.types import InputError

NOISE = "# source: a laboratory\n# additive: 0.004\n# multiplicative: 0.01 0.02\n"
TABLE = (
    NOISE + "wavelength,RED,NIR\n640,0,0\n650,1,0\n660,1,0\n670,0,0\n840,0,2\n845,0,2\n850,0,0\n"
)

DESCRIPTION = """\
source: a laboratory
noise: {additive: 0.005, multiplicative: 2e-2}
channels:
  B1: {centre: 490, width: 65}
  B4: {wavelength: [640, 660, 680], response: [0, 1, 0], noise: {additive: 0.003}}
  NDVI: {normalised_difference: [B8, B4], noise: {additive: 0.02}}
bands:
  B8: {centre: 0.842, width: 0.1}
"""


def write(folder: Path, text: str, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_is_interpolated_to_nanometres(tmp_path):
    sensor = read_sensor(write(tmp_path, TABLE))
    assert sensor.channels == ("RED", "NIR")
    assert sensor.additive == (0.004, 0.004)
    assert sensor.multiplicative == (0.01, 0.02)
    nodes = np.arange(400, 2501)
    for row, (at, values) in zip(
        sensor.response.numpy(),
        (([640, 650, 660, 670], [0, 1, 1, 0]), ([670, 840, 845, 850], [0, 2, 2, 0])),
        strict=True,
    ):
        expected = np.interp(nodes, at, values, 0, 0)
        np.testing.assert_allclose(row, expected / expected.sum(), rtol=1e-12)
    assert sensor.centres[0] == pytest.approx(655.0)
    assert sensor.widths[0] == pytest.approx(20.0)
    assert set(sensor.forms) == {"tabulated"}


def test_a_table_in_micrometres_is_the_same_sensor(tmp_path):
    lines = TABLE.splitlines()
    head, rows = lines[:4], [line.split(",") for line in lines[4:]]
    micro = [",".join([f"{float(row[0]) / 1000:.3f}", *row[1:]]) for row in rows]
    one = read_sensor(write(tmp_path, TABLE))
    other = read_sensor(write(tmp_path, "\n".join([*head, *micro]) + "\n", "micro.csv"))
    torch.testing.assert_close(one.response, other.response, rtol=0, atol=1e-12)


@pytest.mark.parametrize("step", [0.05, 0.25, 0.5])
def test_a_fine_table_keeps_narrow_lines(tmp_path, step):
    """A line half a nanometre wide between two grid points keeps its centre of mass."""
    at = np.arange(640.0, 660.0 + step / 2, step)
    values = np.maximum(0, 1 - np.abs(at - 650.45) / 0.5)
    rows = "\n".join(f"{w:.3f},{v:.6f},{float(w < 655)}" for w, v in zip(at, values, strict=True))
    text = NOISE + "wavelength,LINE,WIDE\n" + rows + "\n"
    sensor = read_sensor(write(tmp_path, text))
    mass = np.trapezoid(values * at, at) / np.trapezoid(values, at)
    assert sensor.centres[0] == pytest.approx(mass, abs=0.05)
    assert (sensor.response[0] > 0).sum() <= 3


@pytest.mark.parametrize("size", [1e-320, 1e308])
def test_responses_may_have_any_size(tmp_path, size):
    """Their sum is beyond the largest number, or hardly above the smallest."""
    big = read_sensor(
        write(tmp_path, TABLE.replace(",1,", f",{size},").replace(",2\n", ",1e308\n"))
    )
    torch.testing.assert_close(big.response, read_sensor(write(tmp_path, TABLE, "b.csv")).response)
    text = "# source: x\nchannel,additive,multiplicative,first_nm,response\nA,0,0,650,"
    row = read_sensor(write(tmp_path, f"{text}{size} {size} {size}\n", "row.csv"))
    assert row.centres == pytest.approx((651.0,))


def test_the_catalogue_as_a_table_is_the_same_sensor(tmp_path):
    """The responses of Landsat-8 written as a table come back."""
    sensor = load_sensor("landsat8")
    used = sensor.response.any(0).nonzero().flatten()
    used = torch.arange(int(used[0]) - 1, int(used[-1]) + 2)
    rows = [
        f"{400 + int(k)}," + ",".join(f"{v:.9g}" for v in sensor.response[:, k].tolist())
        for k in used
    ]
    head = "# source: x\n# additive: 0\n# multiplicative: 0\n"
    text = head + ",".join(["wavelength", *sensor.channels]) + "\n" + "\n".join(rows) + "\n"
    again = read_sensor(write(tmp_path, text))
    torch.testing.assert_close(again.response, sensor.response, rtol=1e-7, atol=1e-12)


def test_a_description_has_bands_channels_and_noise(tmp_path):
    sensor = read_sensor(write(tmp_path, DESCRIPTION, "mine.yaml"))
    assert sensor.name == "mine"
    assert sensor.channels == ("B1", "B4", "NDVI")
    assert sensor.bands == ("B1", "B4", "B8")
    assert sensor.parts == ((0,), (1,), (2, 1))
    assert sensor.additive == (0.005, 0.003, 0.02)
    assert sensor.multiplicative == (0.02, 0.02, 0.0)
    assert sensor.forms == ("Gaussian", "tabulated", "Gaussian")
    assert sensor.band_centres == pytest.approx((490.0, 660.0, 842.0), abs=0.1)
    assert sensor.centres[:2] == sensor.band_centres[:2]
    assert np.isnan(sensor.centres[2])
    assert np.isnan(sensor.widths[2])
    assert sensor.are_indices(("NDVI", "B1")) == (True, False)
    assert sensor.behind(("NDVI",)) == ((2, 1), ((0, 1),))
    assert sensor.behind(("B4", "NDVI")) == ((1, 2), ((0,), (1, 0)))


def test_channels_are_made_of_bands():
    bands = torch.tensor([[0.1, 0.5], [0.3, 0.3], [0.001, 0.002]], dtype=torch.float64)
    assert combine(bands, ((0,), (1,))) is bands
    made = combine(bands, ((1, 0), (1,)))
    # Nearly black surfaces count as a sum of 0.02.
    expected = [[0.4 / 0.6, 0.5], [0.0, 0.3], [0.001 / 0.02, 0.002]]
    torch.testing.assert_close(made, torch.tensor(expected, dtype=torch.float64))


def test_an_index_that_is_reported_is_that_index(tmp_path):
    sensor = read_sensor(write(tmp_path, DESCRIPTION, "mine.yaml"))
    assert find_index("ndvi", sensor) == (2, None)
    assert find_index("ndvi", sensor, ("B1", "B4")) is None
    assert find_index("nbr", sensor) is None


def test_a_changed_file_is_read_again(tmp_path):
    path = write(tmp_path, DESCRIPTION, "mine.yaml")
    first = load_sensor(str(path))
    assert load_sensor(str(path)) is first
    write(tmp_path, DESCRIPTION.replace("centre: 490", "centre: 4.9e-1").replace("65", "0.065"))
    assert load_sensor(str(path)) is first
    write(tmp_path, DESCRIPTION.replace("width: 65", "width: 60"), "mine.yaml")
    write(tmp_path, DESCRIPTION.replace("490", "500.0"), "mine.yaml")
    assert load_sensor(str(path)).centres[0] == pytest.approx(500.0, abs=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE.replace("# source: a laboratory\n", ""), "no '# source:' line"),
        (TABLE.replace("# additive: 0.004\n", ""), "'# additive:': no numbers for 2 channels"),
        (TABLE.replace("0.01 0.02", "1 2 3"), "'# multiplicative:': 3 numbers for 2 channels"),
        (TABLE.replace("650,1,0", "650,-1,0"), "line 6, column RED: '-1' is not a finite number"),
        (TABLE.replace("650,1,0", "650,,0"), "line 6, column RED: ''"),
        (TABLE.replace("650,1,0", "650,1"), "line 6: 2 cells under 3 columns"),
        (TABLE.replace("650,1,0", "690,1,0"), "line 7, column wavelength: 660 comes after 690"),
        (TABLE.replace("660,1,0", "650,1,0"), "line 7, column wavelength: 650 appears twice"),
        (TABLE.replace("650,1,0", ".65,1,0"), "line 6, column wavelength: 0.65 and 640 cannot"),
        (TABLE.replace("RED,NIR", "RED,RED"), "names the channel RED twice"),
        (TABLE.replace("RED,NIR", "RED,"), "column 3 has no name"),
        (TABLE.replace("850,0,0", "2700,0,3"), "column NIR: 1.% of the response lies outside"),
        (TABLE.replace("840,0,2\n845,0,2\n", ""), "column NIR: the response is zero"),
        (NOISE + "wavelength,A,B\n500,1,1\n", "column A: a table of 1 wavelengths"),
        (NOISE + "wavelengths,A,B\n500,1,1\n", "lacks the column channel"),
        (
            NOISE + 'wavelength,A\n"500' + ",1\n" * 70_000,
            r"line 5: no row of a CSV \(field larger .*quotation mark that is not closed",
        ),
        (NOISE + "Wavelength,R\n500,1\n", "or, for one column per channel, wavelength,NAME,NAME"),
        (
            NOISE + "wavelength,A,B\n3000,1,1\n3100,1,1\n",
            "column A: 100% of the response lies outside 400 to 2500 nm",
        ),
    ],
)
def test_a_broken_table_is_answered_with_its_place(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        read_sensor(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source: a laboratory", "", "has no 'source'"),
        ("noise: {additive: 0.005, ", "noise: {", "channels.B1: has no additive noise"),
        ("noise: {additive: 0.02}", "noise: {}", "channels.NDVI: has no additive noise"),
        ("additive: 0.02}", "aditive: 0.02}", "unknown key 'aditive'; did you mean 'additive'"),
        ("additive: 0.02}", "additive: -0.02}", "NDVI, noise.additive: '-0.02' is not"),
        ("channels:", "chanels:", "unknown key 'chanels'; did you mean 'channels'"),
        ("[B8, B4]", "[B8, B5]", "channels.NDVI: there is no band 'B5'; did you mean 'B"),
        ("[B8, B4]", "[B8]", "write the two bands"),
        ("[B8, B4]", "[B8, NDVI]", "there is no band 'NDVI'"),
        ("[B8, B4],", "[B8, B4], centre: 3,", "an index has no centre"),
        ("[B8, B4]", "[B1, B4]", "bands.B8: no index is made of this band"),
        ("{centre: 490, width: 65}", "{centre: 490}", "channels.B1: has centre; give 'centre' and"),
        ("{centre: 490, width: 65}", "{}", "channels.B1: has no response"),
        ("{centre: 490, width: 65}", "490", "channels.B1: is 490; write keys"),
        ("{centre: 490, width: 65}", "{centre: .49, width: 65}", "a centre of 0.49 is in um"),
        (
            "{centre: 490, width: 65}",
            "{centre: 490, width: 0.065}",
            "a width of 0.065 nm looks like um",
        ),
        (
            "{centre: 490, width: 65}",
            "{centre: .49, width: 1e-5}",
            "B1: a width of 0.01 nm looks like um",
        ),
        ("{centre: 490, width: 65}", "{centre: 2499, width: 65}", "49% of the response|51% of"),
        ("response: [0, 1, 0]", "response: [0, 1]", "must be lists of equal length"),
        ("response: [0, 1, 0]", "response: [0, -1, 0]", r"channels.B4.response\[1\]: '-1'"),
        ("[640, 660, 680]", "[640, 680, 660]", r"B4.wavelength\[2\]: 660 comes after 680"),
        ("[640, 660, 680]", "[0.64, 660, 680]", r"B4.wavelength\[1\]: 660 and 0.64 cannot"),
        ("  B1:", "  B8:", "names the band B8 twice"),
        ("  B1:", "  B4:", "line 5: key 'B4' appears twice|line 5.*twice"),
        ("  B1:", "  [B1]:", "line 4: a key that is no text"),
    ],
)
def test_a_broken_description_is_answered_with_its_place(tmp_path, old, new, message):
    assert old in DESCRIPTION
    path = write(tmp_path, DESCRIPTION.replace(old, new), "mine.yml")
    with pytest.raises(InputError, match=message) as caught:
        read_sensor(path)
    assert str(path) in str(caught.value)


def test_other_endings_and_empty_descriptions_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"give a file that ends in .csv, .yaml, .yml"):
        read_sensor(write(tmp_path, TABLE, "mine.txt"))
    with pytest.raises(InputError, match="write keys, of title, source"):
        read_sensor(write(tmp_path, "", "mine.yaml"))
    with pytest.raises(InputError, match="channels: is None"):
        read_sensor(write(tmp_path, "source: x\n", "mine.yaml"))
    with pytest.raises(InputError, match="has no channel"):
        read_sensor(write(tmp_path, "source: x\nchannels: {}\n", "mine.yaml"))
    with pytest.raises(InputError, match="No such file"):
        load_sensor(str(tmp_path / "absent.yaml"))
