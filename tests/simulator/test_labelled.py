"""The simulator on labelled arrays: broadcasting by name, labels, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from releo_da import simulate
from releo_da.io.geometry import sun_position, viewing_on_slope
from releo_da.physics.absorbed import fcover
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import canopy, prosail
from releo_da.physics.soil_spectra import SoilSpectra
from releo_da.sensors import load_sensor
from releo_da.simulator import CANOPY, rows
from releo_da.simulator.validity import brightest
from releo_da.types import InputError

SUN = {"sun_zenith": 35.0}


def spectrum(tts: float = 35.0, tto: float = 0.0, psi: float = 0.0, **changes: float) -> np.ndarray:
    """One spectrum of the canopy model itself."""
    variables = {
        name: torch.tensor([value], dtype=torch.float64)
        for name, value in {**CANOPY, **changes}.items()
    }
    return prosail(variables, tts, tto, psi, load_optics(dtype=torch.float64))[0].numpy()


def test_dimensions_broadcast_by_name_and_keep_their_coordinates() -> None:
    lai = xr.DataArray([0.0, 1.0, 5.0], dims="time", coords={"time": [3, 5, 8]})
    psoil = xr.DataArray([0.0, 1.0], dims="point", coords={"crop": ("point", ["a", "b"])})
    found = simulate({**CANOPY, "lai": lai, "psoil": psoil}, "sentinel2b", SUN, ["ndvi", "fcover"])
    assert dict(found.reflectance.sizes) == {"time": 3, "point": 2, "channel": 13}
    assert found.time.values.tolist() == [3, 5, 8]
    assert found.crop.values.tolist() == ["a", "b"]
    sensor = load_sensor("sentinel2b")
    assert found.channel.values.tolist() == list(sensor.channels)
    assert found.centre.values.tolist() == list(sensor.centres)
    assert found.width.attrs["units"] == "nm"
    one = found.sel(time=5).isel(point=1)
    expected = sensor.response.numpy() @ spectrum(lai=1.0, psoil=1.0)
    np.testing.assert_allclose(one.reflectance, expected, rtol=0, atol=1e-12)
    red, near = expected[[sensor.channels.index(name) for name in ("B04", "B08")]]
    assert one.ndvi.item() == pytest.approx((near - red) / (near + red), abs=1e-12)
    covered = fcover({"lai": torch.ones(1).double(), "ala": torch.full((1,), 57.0).double()})
    assert one.fcover.item() == pytest.approx(covered.item(), abs=1e-12)
    assert found.fcover.attrs["long_name"] == "fraction of ground covered by green vegetation"
    assert found.reflectance.attrs["units"] == "1"


def test_a_derived_variable_that_is_named_twice_counts_once() -> None:
    once = simulate(CANOPY, "sentinel2b", SUN, ["ndvi", "fapar"])
    xr.testing.assert_identical(
        simulate(CANOPY, "sentinel2b", SUN, ["ndvi", "ndvi", "fapar"]), once
    )


@pytest.mark.parametrize("shape", [(), (4, 1)])
def test_the_brightest_wavelength_of_a_soil(shape: tuple[int, ...]) -> None:
    """Against every wavelength."""
    generator = np.random.default_rng(3)
    dry, wet = generator.random((2, 2101))
    psoil = generator.random(shape)
    expected = (psoil[..., None] * dry + (1 - psoil[..., None]) * wet).max(-1)
    found = brightest(SoilSpectra(torch.from_numpy(dry), torch.from_numpy(wet)), psoil)
    np.testing.assert_array_equal(found, expected)


def test_leaf_angles_by_two_slopes() -> None:
    angles = {"lidfa": -0.35, "lidfb": -0.15}
    canopy = {name: value for name, value in CANOPY.items() if name != "ala"}
    found = simulate({**canopy, **angles}, "landsat8", SUN, ["fcover"])
    near = simulate({**canopy, "ala": 57.3}, "landsat8", SUN, ["fcover"])  # both about spherical
    np.testing.assert_allclose(found.reflectance, near.reflectance, rtol=0.05)
    assert not np.array_equal(found.reflectance, near.reflectance)
    assert found.fcover.item() == pytest.approx(near.fcover.item(), rel=0.05)
    simulate({**canopy, "lidfa": 0.9, "lidfb": -0.1}, "landsat8", SUN)
    with pytest.raises(InputError, match=r"'lidfa' at row=1: \|lidfa\| \+ \|lidfb\| is 1.1; give"):
        simulate({**canopy, "lidfa": -0.6, "lidfb": [0.4, 0.5]}, "landsat8", SUN)
    with pytest.raises(InputError, match="leaf angles: give either ala"):
        simulate({**canopy, "lidfa": 0.1}, "landsat8", SUN)


def test_water_on_the_soil() -> None:
    moisture = xr.DataArray([0.05, 0.2, 0.4], dims="time")
    bare = {**CANOPY, "lai": 0.0, "psoil": 1.0}
    seen = simulate({**bare, "soil_moisture": moisture}, "sentinel2a", SUN).reflectance
    dry = simulate(bare, "sentinel2a", SUN).reflectance
    np.testing.assert_allclose(seen[0], dry, rtol=0, atol=1e-12)
    left = seen[2] / dry
    assert (seen.diff("time") < 0).all()
    assert left.sel(channel="B12") < left.sel(channel="B11") < left.sel(channel="B08") < 1.0


def test_the_other_leaf_model_takes_no_anthocyanins() -> None:
    without = {name: value for name, value in CANOPY.items() if name != "ant"}
    found = simulate(without, "sentinel2a", SUN, ["fapar"], leaf="prospect_5")
    same = simulate(CANOPY, "sentinel2a", SUN, ["fapar"], leaf="prospect_5")
    xr.testing.assert_equal(found, same)
    other = simulate(CANOPY, "sentinel2a", SUN, ["fapar"])
    assert abs(found.fapar - other.fapar).item() > 1e-4
    assert abs(found.reflectance - other.reflectance).max() > 1e-3
    with pytest.raises(InputError, match="'ant': PROSPECT-5 knows no anthocyanins; give 0, or use"):
        simulate({**CANOPY, "ant": 1.0}, "sentinel2a", SUN, leaf="prospect_5")
    with pytest.raises(InputError, match="lacks the variable ant"):
        simulate(without, "sentinel2a", SUN)
    with pytest.raises(InputError, match="leaf model 'prospect' is unknown; choose prospect_d or"):
        simulate(CANOPY, "sentinel2a", SUN, leaf="prospect")


def test_a_soil_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "soil.csv").write_text("wavelength,dry\n400,0.1\n2500,0.31\n")
    bare = {**CANOPY, "lai": 0.0, "rsoil": 2.0}
    found = simulate(bare, None, SUN, ["fapar"], soil=tmp_path / "soil.csv")
    np.testing.assert_allclose(found.reflectance, np.linspace(0.2, 0.62, 2101), rtol=0, atol=1e-12)
    thin = {**CANOPY, "lai": 1.0}
    mine = simulate(thin, None, SUN, ["fapar"], soil=tmp_path / "soil.csv")
    assert abs(mine.fapar - simulate(thin, None, SUN, ["fapar"]).fapar).item() > 1e-4
    with pytest.raises(InputError, match="absent.csv: not a readable text file"):
        simulate(CANOPY, None, SUN, soil=tmp_path / "absent.csv")


def test_a_sensor_of_ones_own(tmp_path: Path) -> None:
    """A file by its path, with no code; it reports a band and an index."""
    path = tmp_path / "mine.csv"
    path.write_text(
        "# source: a laboratory\nchannel,additive,multiplicative,centre_nm,width_nm\n"
        "RED,0.01,0.02,660,20\nNIR,0.01,0.02,850,30\n"
    )
    found = simulate(CANOPY, path, SUN, ["ndvi"])
    assert found.channel.values.tolist() == ["RED", "NIR"]
    red, near = found.reflectance.values
    assert found.ndvi.item() == pytest.approx((near - red) / (near + red), abs=1e-12)


def test_without_a_sensor_the_result_is_the_spectrum() -> None:
    found = simulate({**CANOPY, "lai": 2.0}, geometry=SUN)
    assert found.reflectance.dims == ("wavelength",)
    assert found.wavelength.values[[0, -1]].tolist() == [400, 2500]
    np.testing.assert_allclose(found.reflectance, spectrum(lai=2.0), rtol=0, atol=1e-12)


def test_tables_lists_and_data_sets_are_read() -> None:
    table = pd.DataFrame(
        [{**CANOPY, "lai": lai, "tts": 35, "tto": 10, "psi": -70} for lai in (1, 3)]
    )
    by_table = simulate(table, "landsat8")
    lists = {**CANOPY, "lai": [1, 3]}
    view = {"tts": 35.0, "view_zenith": 10, "relative_azimuth": 290}
    by_list = simulate(lists, "landsat8", view)
    by_set = simulate(xr.Dataset({**CANOPY, "lai": ("row", [1.0, 3.0])}), "landsat8", view)
    assert by_list.reflectance.dims == by_set.reflectance.dims == ("row", "channel")
    assert by_table.reflectance.dims == ("row", "channel")
    np.testing.assert_array_equal(by_list.reflectance, by_table.reflectance)
    np.testing.assert_array_equal(by_list.reflectance, by_set.reflectance)


def test_rows_of_a_table_go_with_those_of_a_list() -> None:
    """One result per row, not one per pair of rows; a table that names its rows keeps the name."""
    table = pd.DataFrame([{**CANOPY, "lai": lai} for lai in (1, 3)], index=[4, 7])
    angles = {"sun_zenith": [30.0, 50.0]}
    found = simulate(table, "landsat8", angles).reflectance
    assert dict(found.sizes) == {"row": 2, "channel": 8}
    assert found.row.values.tolist() == [4, 7]
    np.testing.assert_array_equal(
        found, simulate(table.to_dict("list"), "landsat8", angles).reflectance
    )
    named = simulate(table.rename_axis("plot"), "landsat8", SUN).reflectance
    assert named.dims == ("plot", "channel")


def test_a_scalar_coordinate_gives_way_to_a_dimension_of_its_name() -> None:
    one_day = xr.DataArray([1.0, 2.0], dims="x", coords={"time": 3})
    cab = xr.DataArray([30.0, 40.0, 50.0], dims="time")
    found = simulate({**CANOPY, "lai": one_day, "cab": cab}, "landsat8", SUN)
    assert dict(found.sizes) == {"x": 2, "time": 3, "channel": 8}


@pytest.mark.parametrize("taken", ["channel", "fcover"])
def test_names_of_the_result_are_no_dimensions_of_the_input(taken: str) -> None:
    lai = xr.DataArray([1.0, 2.0], dims=taken)
    with pytest.raises(
        InputError, match=f"'lai' has a dimension or coordinate '{taken}', which is"
    ):
        simulate({**CANOPY, "lai": lai}, "sentinel2a", SUN, ["fcover"])
    lai = xr.DataArray([1.0, 2.0], dims="time", coords={taken: ("time", [3, 4])})
    with pytest.raises(
        InputError, match=f"variables: 'lai' has a dimension or coordinate '{taken}"
    ):
        simulate({**CANOPY, "lai": lai}, "sentinel2a", SUN, ["fcover"])


@pytest.mark.parametrize("factor", ["bhr", "dhr", "hdr"])
def test_all_reflectance_factors(factor: str) -> None:
    """Those of the canopy model under the sensor; over bare ground all are that of the soil."""
    view = SUN | {"view_zenith": 20.0, "relative_azimuth": 60.0}
    canopies = {**CANOPY, "lai": [0.0, 2.0]}
    found = simulate(canopies, "sentinel2a", view, ["ndvi"], factor=factor)
    variables = {
        name: torch.tensor([value], dtype=torch.float64)
        for name, value in {**CANOPY, "lai": 2.0}.items()
    }
    optics = load_optics(dtype=torch.float64)
    spectra = getattr(canopy(variables, 35.0, 20.0, 60.0, optics), factor)[0]
    sensor = load_sensor("sentinel2a")
    expected = sensor.response @ spectra
    np.testing.assert_allclose(found.reflectance[1], expected, rtol=0, atol=1e-12)
    sdr = simulate(canopies, "sentinel2a", view, ["ndvi"])
    np.testing.assert_allclose(found.reflectance[0], sdr.reflectance[0], rtol=0, atol=1e-12)
    assert abs(found.reflectance[1] - sdr.reflectance[1]).max() > 1e-3
    near, red = (expected[sensor.channels.index(name)].item() for name in ("B08", "B04"))
    assert found.ndvi[1].item() == pytest.approx((near - red) / (near + red), abs=1e-12)
    assert "hemispherical" in found.reflectance.attrs["long_name"]
    with pytest.raises(InputError, match="factor 'brf' is unknown; choose sdr, bhr, dhr, hdr"):
        simulate(CANOPY, "sentinel2a", SUN, factor="brf")


def test_angles_under_every_name_are_the_same_angles() -> None:
    azimuths = {"sun_azimuth": 10.0, "view_azimuth": [100.0, -80.0, 280.0]}
    found = simulate(CANOPY, None, SUN | {"view_zenith": 20.0} | azimuths).reflectance
    expected = spectrum(tts=35.0, tto=20.0, psi=90.0)
    for row in found:
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-12)
    days = np.array(["2020-06-01T10:30", "2020-12-01T10:30"], dtype="datetime64[ns]")
    moment = {"time": days, "lon": 1.4, "lat": 43.6}
    found = simulate(CANOPY, None, moment).reflectance
    for row, day in zip(found, (18414.4375, 18597.4375), strict=True):
        zenith, _ = sun_position(day, 1.4, 43.6)
        np.testing.assert_allclose(row, spectrum(tts=float(zenith)), rtol=0, atol=1e-12)


def test_the_azimuth_of_the_sun_is_computed_where_it_is_missing() -> None:
    day = np.datetime64("2020-06-01T10:30", "ns")
    view = SUN | {"view_zenith": 20.0, "view_azimuth": 100.0}
    found = simulate(CANOPY, None, view | {"time": day, "lon": 1.4, "lat": 43.6}).reflectance
    _, azimuth = sun_position(18414.4375, 1.4, 43.6)
    expected = simulate(CANOPY, None, view | {"sun_azimuth": azimuth}).reflectance
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_angles_on_a_slope_are_those_about_its_normal() -> None:
    """Facing the sun, which then stands on the normal, and turned away from it."""
    aspect = xr.DataArray([120.0, 300.0], dims="side")
    sun = {"sun_zenith": 30.0, "sun_azimuth": 120.0, "slope": 30.0}
    found = simulate(CANOPY, None, sun | {"aspect": aspect}).reflectance
    for row, (tts, psi) in zip(found, ((0.0, 0.0), (60.0, 0.0)), strict=True):
        np.testing.assert_allclose(row, spectrum(tts, 30.0, psi), rtol=0, atol=1e-9)
    seen = {"view_zenith": 30.0, "view_azimuth": 300.0}
    found = simulate(CANOPY, None, sun | seen | {"aspect": 210.0}).reflectance
    local = np.degrees(np.arccos(np.cos(np.radians(30.0)) ** 2))  # at right angles to both
    flat = simulate(CANOPY, None, sun | seen | {"aspect": 210.0, "slope": 0.0}).reflectance
    np.testing.assert_allclose(flat, spectrum(30.0, 30.0, 180.0), rtol=0, atol=1e-9)
    (tts, tto, psi) = viewing_on_slope(30.0, 120.0, 30.0, 300.0, 30.0, 210.0)
    assert (tts, tto) == pytest.approx((local, local))
    np.testing.assert_allclose(found, spectrum(tts, tto, psi), rtol=0, atol=1e-9)
    with pytest.raises(
        InputError, match="'slope' at side=1: the sun is behind the slope, 100.0 deg"
    ):
        simulate(CANOPY, None, sun | {"aspect": aspect, "sun_zenith": 70.0})


def test_spectra_are_held_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held at once does not grow with the number of rows."""
    lengths = []

    def spy(columns, *rest):
        lengths.append(max(v.numel() for v in columns.values()))
        return prosail(columns, *rest)

    monkeypatch.setattr(rows, "prosail", spy)
    monkeypatch.setattr(rows, "BLOCK", 64)
    lai = np.linspace(0.0, 6.0, 150)
    found = simulate({**CANOPY, "lai": lai}, "landsat9", SUN)
    assert lengths == [64, 64, 22]
    assert found.reflectance.shape == (150, 8)
    assert (found.reflectance.sel(channel="B4").diff("row")[:90] < 0).all()


def test_nothing_is_simulated_of_nothing() -> None:
    found = simulate({**CANOPY, "lai": []}, "landsat9", SUN, ["ndvi"])
    assert found.reflectance.shape == (0, 8)
    assert found.ndvi.shape == (0,)


@pytest.mark.parametrize(
    ("changes", "geometry", "message"),
    [
        ({"lai": [1.0, -1.0]}, SUN, "'lai' at row=1: -1 is unphysical; give a finite number of at"),
        ({"cab": np.nan}, SUN, "'cab': nan is unphysical"),
        ({"lay": 1.0}, SUN, "unknown variable 'lay'; did you mean 'lai'?"),
        ({}, {"tts": 90.0}, "'tts': 90 is unphysical; give a number from 0 to below 90"),
        ({}, {"tts": 30.0, "sun_zenith": 30.0}, "'sun_zenith' and 'tts' are the same angle"),
        ({}, {"sun_zenit": 30.0}, "unknown angle 'sun_zenit'; did you mean 'sun_zenith'?"),
        ({}, {"view_zenith": 3.0}, "the sun zenith is missing; give sun_zenith or tts in degrees"),
        ({}, SUN | {"tto": 3.0}, "the view zenith comes without its azimuth"),
        (
            {},
            SUN | {"tto": 3.0, "view_azimuth": 3.0},
            "the azimuth of the sun is missing; add sun_azimuth, or time, lon and lat",
        ),
        (
            {},
            SUN | {"psi": 3.0, "view_azimuth": 3.0, "sun_azimuth": 9.0},
            "relative_azimuth (psi) and view_azimuth both say where the sensor stands; keep one",
        ),
        ({}, {"time": 1.0, "lon": 1.0, "lat": 120.0}, "'lat': 120 is unphysical; give a number"),
        ({}, {"time": 1.0, "lon": -181.0, "lat": 1.0}, "'lon': -181 is unphysical; give a number"),
        ({}, SUN | {"slope": 3.0}, "slope and aspect need each other; give both or neither"),
        (
            {},
            SUN | {"slope": 3.0, "aspect": 3.0},
            "the azimuth of the sun is missing; add sun_azimuth",
        ),
        (
            {},
            SUN | {"slope": 3.0, "aspect": 3.0, "psi": 9.0},
            "on a slope it matters where sun and sensor stand",
        ),
        ({}, SUN | {"slope": 93.0, "aspect": 3.0, "sun_azimuth": 9.0}, "'slope': 93 is unphysical"),
        ({}, SUN | {"psi": np.inf}, "'psi': inf is unphysical; give a finite number"),
        ({"lai": [1, 2], "cab": [1, 2, 3]}, SUN, "arrays do not fit together"),
        ({"lai": np.ones((2, 2))}, SUN, "'lai' has 2 dimensions without names; give a DataArray"),
        (
            {"lidfa": 0.1, "lidfb": 0.1},
            SUN,
            "variables: leaf angles: give either ala (Campbell) or",
        ),
        ({"lai": "much"}, SUN, "'lai' is not an array of numbers"),
        ({"lai": torch.ones(2, requires_grad=True)}, SUN, "call releo_da.physics.prosail.prosail"),
    ],
)
def test_what_is_wrong_is_named(changes: dict, geometry: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        simulate({**CANOPY, **changes}, "sentinel2a", geometry)
    assert message in str(caught.value)


def test_a_result_that_is_not_finite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No value accepted so far leads there, so the canopy model is made to fail."""
    monkeypatch.setattr(
        rows, "prosail", lambda *given: prosail(*given) / (given[0]["lai"] > 1)[:, None]
    )
    with pytest.raises(InputError, match="'lai' at row=1 and the other variables there: no finite"):
        simulate({**CANOPY, "lai": [2.0, 0.5]}, "landsat9", SUN)


def test_coordinates_that_differ_are_refused() -> None:
    lai = xr.DataArray([1.0, 2.0], dims="time", coords={"time": [1, 2]})
    cab = xr.DataArray([30.0, 40.0], dims="time", coords={"time": [1, 3]})
    with pytest.raises(InputError, match="arrays do not fit together"):
        simulate({**CANOPY, "lai": lai, "cab": cab}, "sentinel2a", SUN)


def test_names_that_cannot_be_simulated() -> None:
    with pytest.raises(InputError, match="lacks the variable n, cab, car"):
        simulate({"lai": 1.0}, "sentinel2a", SUN)
    with pytest.raises(InputError, match="unknown sensor 'sentinel2'.*did you mean"):
        simulate(CANOPY, "sentinel2", SUN)
    with pytest.raises(
        InputError, match="'lai' is given, not derived.*Choose from lai_green, ccc, cwc, fapar"
    ):
        simulate(CANOPY, "sentinel2a", SUN, ["lai"])
    with pytest.raises(InputError, match="'fappar' is no derived variable; did you mean 'fapar'"):
        simulate(CANOPY, "sentinel2a", SUN, ["fappar"])
    with pytest.raises(InputError, match=r"derived is 'ndvi'; give a list of names, \['ndvi'\]"):
        simulate(CANOPY, "sentinel2a", SUN, "ndvi")
    with pytest.raises(InputError, match="ndwi cannot be formed.*allows ndvi, gndvi, ndre, ndmi"):
        simulate(CANOPY, "sentinel2a", SUN, ["ndwi"])
    with pytest.raises(InputError, match="ndvi is formed of channels; name a sensor"):
        simulate(CANOPY, None, SUN, ["ndvi"])
    with pytest.raises(InputError, match="variables: wants a Dataset, a table or a mapping"):
        simulate([1.0], "sentinel2a", SUN)


def test_the_package_stays_light() -> None:
    """Importing it brings neither torch nor xarray; the simulator comes when it is named."""
    code = "import sys, releo_da; assert not {'torch', 'xarray'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
