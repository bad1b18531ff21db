"""The catalogue against the agencies' published figures, sensor by sensor."""

import pytest
import torch

from releo_da.sensors import load_sensor, sensor_names

SATELLITES = {
    "sentinel2a", "sentinel2b", "sentinel2c", "landsat4", "landsat5", "landsat7", "landsat8",
    "landsat9", "modis_terra", "modis_aqua", "venus", "superdove", "prisma", "enmap", "hls_l30",
    "hls_s30",
}  # fmt: skip

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
# Half-power band edges (nm). TM: Chander, Markham and Helder (2009), Remote Sensing of Environment
# 113, 893, spectral ranges; ETM+: NASA, Landsat-7 Science Data Users Handbook, as built.
EDGES = {
    "landsat4": {
        "B1": (452, 518), "B2": (529, 609), "B3": (624, 693), "B4": (776, 905),
        "B5": (1568, 1784), "B7": (2097, 2347),
    },
    "landsat5": {
        "B1": (452, 518), "B2": (528, 609), "B3": (626, 693), "B4": (776, 904),
        "B5": (1567, 1784), "B7": (2097, 2349),
    },
    "landsat7": {
        "B1": (441, 514), "B2": (519, 601), "B3": (631, 692), "B4": (772, 898),
        "B5": (1547, 1748), "B7": (2065, 2346),
    },
}  # fmt: skip
# Specified band limits (nm), NASA MODIS specifications. As built the instrument differs from them
# by up to 16 nm in the centre (band 7) and 4 nm in the width, wider than the 10 % aimed at.
MODIS = {
    "B01": (620, 670), "B02": (841, 876), "B03": (459, 479), "B04": (545, 565),
    "B05": (1230, 1250), "B06": (1628, 1652), "B07": (2105, 2155),
}  # fmt: skip


@pytest.fixture(params=sorted(SATELLITES))
def sensor(request):
    return load_sensor(request.param)


def edges(response: torch.Tensor) -> tuple[float, float]:
    """Outermost crossings of half the maximum (nm), found by interpolation on a fine grid."""
    fine = torch.linspace(400, 2500, 210_001, dtype=torch.float64)
    low = ((fine - 400).floor().long()).clamp(0, 2099)
    part = fine - 400 - low
    values = response[low] * (1 - part) + response[low + 1] * part
    above = (values >= response.max() / 2).nonzero().flatten()
    return float(fine[above[0]]), float(fine[above[-1]])


def test_the_catalogue_has_one_file_per_satellite():
    assert set(sensor_names()) == SATELLITES | {"estimates"}


def test_responses_are_normalised_and_non_negative(sensor):
    assert sensor.response.shape == (len(sensor.channels), 2101)
    assert sensor.response.dtype == torch.float64
    assert (sensor.response >= 0).all()
    ones = torch.ones(len(sensor.channels), dtype=torch.float64)
    torch.testing.assert_close(sensor.response.sum(1), ones, rtol=0, atol=1e-12)


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


@pytest.mark.parametrize("name", EDGES)
def test_band_edges_of_the_thematic_mappers_are_the_published_ones(name):
    sensor = load_sensor(name)
    assert sensor.channels == tuple(EDGES[name])
    for row, published in zip(sensor.response, EDGES[name].values(), strict=True):
        assert edges(row) == pytest.approx(published, abs=1.0)


@pytest.mark.parametrize("name", ["modis_terra", "modis_aqua"])
def test_modis_is_built_near_its_specification(name):
    sensor = load_sensor(name)
    assert sensor.channels == tuple(MODIS)
    for centre, width, (low, high) in zip(
        sensor.centres, sensor.widths, MODIS.values(), strict=True
    ):
        assert centre == pytest.approx((low + high) / 2, rel=0.008)
        assert width == pytest.approx(high - low, abs=4.0)


def test_nominal_positions_of_gaussian_sensors():
    """Positions and widths as the agencies publish them; the middle of a range is its centre."""
    dove = load_sensor("superdove")
    ranges = [(431, 452), (465, 515), (513, 549), (547, 583), (600, 620), (650, 680), (697, 713),
              (845, 885)]  # fmt: skip
    for row, published in zip(dove.response, ranges, strict=True):
        assert edges(row) == pytest.approx(published, abs=0.2)
    enmap = load_sensor("enmap")
    assert enmap.index(["VNIR01", "SWIR001", "SWIR156"]) == (0, 90, 245)
    assert enmap.centres[0] == pytest.approx(420.0, abs=0.2)
    assert enmap.centres[245] == pytest.approx(2450.0, abs=0.2)
    assert enmap.widths[100] == pytest.approx(12.5, rel=0.01)
    prisma = load_sensor("prisma")
    assert len(prisma.channels) == 66 + 171 - 4
    assert prisma.centres[prisma.index(["VNIR66"])[0]] == pytest.approx(1010.0, abs=0.2)
    assert prisma.centres[prisma.index(["SWIR001"])[0]] == pytest.approx(920.0, abs=0.2)
    sentinel, venus = load_sensor("sentinel2c"), load_sensor("venus")
    assert sentinel.centres[sentinel.index(["B05"])[0]] == pytest.approx(707.1, abs=0.2)
    assert venus.centres[venus.index(["B8"])[0]] == pytest.approx(701.9, abs=0.2)


def test_landsat9_continues_landsat8():
    eight, nine = load_sensor("landsat8"), load_sensor("landsat9")
    assert eight.channels == nine.channels
    for one, other in zip(eight.centres, nine.centres, strict=True):
        assert one == pytest.approx(other, abs=1.0)
    assert not torch.equal(eight.response, nine.response)


def test_hls_has_the_response_of_oli_where_it_is_adjusted_to_it():
    """Claverie et al. (2018): seven channels of S30 are adjusted, the red edge and B08 are not."""
    oli, msi = load_sensor("landsat8"), load_sensor("sentinel2a")
    l30, s30 = load_sensor("hls_l30"), load_sensor("hls_s30")

    def response(sensor, *channels):
        return sensor.response[list(sensor.index(channels))]

    numbers = (1, 2, 3, 4, 5, 6, 7, 9)
    own = response(oli, *(f"B{k}" for k in numbers))
    assert torch.equal(response(l30, *(f"B{k:02d}" for k in numbers)), own)
    adjusted = response(s30, "B01", "B02", "B03", "B04", "B8A", "B11", "B12")
    assert torch.equal(adjusted, own[:7])
    kept = ("B05", "B06", "B07", "B08", "B09", "B10")
    assert torch.equal(response(s30, *kept), response(msi, *kept))


def test_aqua_is_said_to_be_terra():
    terra, aqua = load_sensor("modis_terra"), load_sensor("modis_aqua")
    assert torch.equal(terra.response, aqua.response)
