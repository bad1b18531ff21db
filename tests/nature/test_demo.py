"""The simulated season: what a scientist would check of it, and the files that it becomes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from releo_da.config import demo, hindcast
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.sources import read_sources
from releo_da.config.weight_paths import WEIGHTS
from releo_da.nature.landscape import (
    CROPS,
    VARIABLES,
    Landscape,
    dryness,
    landscape,
    smooth_noise,
    truth,
)
from releo_da.nature.products import (
    Discrepancy,
    Orbit,
    field_work,
    footprint,
    inside,
    schedule,
    shadow,
)
from releo_da.nature.sky import Sky, seen_through, skies, weather
from releo_da.state.variables import variables

SHORT = date(2023, 4, 20)


@pytest.fixture(scope="module")
def patch() -> Landscape:
    return landscape(24, 24, 60.0, 214, np.random.default_rng(3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The input of a small demo: 18 x 18 pixels, seven weeks."""
    made = tmp_path_factory.mktemp("input")
    demo.simulate(made, 0, 18, SHORT)
    demo.write_configuration(made, 0, last=SHORT)
    return made


def test_every_crop_grows_and_dies_in_its_season(patch: Landscape) -> None:
    days = np.arange(60.0, 274.0)
    lai = np.stack([truth(patch, day)[:, VARIABLES.index("lai")] for day in days])
    for number, name in enumerate(patch.crop):
        curve = lai[:, patch.field == number].mean(1)
        crop = CROPS[name]
        assert crop.rise < days[curve.argmax()] < crop.fall
        assert 0.6 * crop.lai < curve.max() < 1.4 * crop.lai
        assert curve[-1] < 0.35 * curve.max()


def test_leaves_lose_their_green_before_the_canopy_is_gone(patch: Landscape) -> None:
    wheat = patch.field == patch.crop.index("winter wheat")
    before, after = (
        dict(zip(VARIABLES, truth(patch, day)[wheat].mean(0), strict=True)) for day in (140, 185)
    )
    assert before["cab"] > 3.0 * after["cab"]
    assert after["cbrown"] > 0.5 > before["cbrown"]
    assert after["cw"] < before["cw"]


def test_the_truth_is_physical_and_within_the_bounds_of_the_state(patch: Landscape) -> None:
    table = variables()
    for day in range(60, 274, 7):
        for name, values in zip(VARIABLES, truth(patch, day).T, strict=True):
            assert values.min() >= table[name].lower, name
            assert values.max() <= table[name].upper, name


def test_rain_wets_the_soil_and_it_dries_as_the_soil_wants(patch: Landscape) -> None:
    rain = np.zeros_like(patch.rain)
    rain[30] = 50.0
    one = patch._replace(rain=rain)
    fall = one.first + 30.0 - 1.0
    dry, wet, later = (dryness(one, fall + shift) for shift in (-0.5, 1.5, 6.5))
    assert (wet < dry - 0.3).all()
    assert (wet < later).all()
    slow, fast = (patch.traits["drying"] == f(patch.traits["drying"]) for f in (np.max, np.min))
    assert later[fast].mean() > later[slow].mean()


def test_variation_inside_a_field_is_smooth() -> None:
    grid = smooth_noise(80, 80, 2.5, np.random.default_rng(0)).reshape(80, 80)
    assert grid.std() == pytest.approx(1.0, abs=0.2)
    near = np.corrcoef(grid[:, 1:].ravel(), grid[:, :-1].ravel())[0, 1]
    assert near == pytest.approx(np.exp(-1.0 / (4.0 * 2.5**2)), abs=0.03)


def test_weather_persists_and_clouds_come_in_patches() -> None:
    generator = np.random.default_rng(1)
    times = np.arange(4000.0)
    series = weather(times, generator)
    assert series.std() == pytest.approx(1.0, abs=0.06)
    assert np.corrcoef(series[1:], series[:-1])[0, 1] == pytest.approx(np.exp(-1 / 2.5), abs=0.05)
    sky = skies(np.arange(400.0) * 5.0, 20, 20, generator)
    flagged = np.stack([s.flagged for s in sky]).reshape(-1, 20, 20)
    share = flagged.mean((1, 2))
    assert 0.3 < share.mean() < 0.6
    assert ((share > 0.05) & (share < 0.95)).mean() > 0.2
    assert (flagged[:, :, 1:] == flagged[:, :, :-1]).mean() > 0.95
    missed = np.stack([s.opacity for s in sky]).reshape(flagged.shape)[~flagged]
    assert 0.0 < (missed > 0.06).mean() < 0.05


def test_a_cloud_is_bright_and_a_clear_sky_is_nearly_the_truth() -> None:
    centres = np.array([490.0, 660.0, 830.0, 1610.0])
    ground = np.tile([0.04, 0.05, 0.35, 0.2], (500, 1))
    nothing, generator = np.zeros(500), np.random.default_rng(0)
    clear = seen_through(ground, Sky(nothing, nothing > 1, 0.0, 0.0), centres, generator)
    assert np.abs(clear.mean(0) - ground[0]).max() < 1e-3
    assert (clear.std(0) > 0.002).all()
    cloud = seen_through(ground, Sky(nothing + 1, nothing < 1, 0.0, 0.0), centres, generator)
    assert (cloud.mean(0)[:2] > 0.5).all()
    hazy = seen_through(ground, Sky(nothing, nothing > 1, 0.0, 0.02), centres, generator)
    assert (np.diff((hazy - clear).mean(0)) < 1e-3).all()


def test_a_shadow_is_the_cloud_moved() -> None:
    opacity = np.zeros((10, 10))
    opacity[1:3, 6:8] = 0.8
    sky = Sky(opacity.ravel(), (opacity > 0.06).ravel(), 0.0, 0.0)
    expected = np.zeros((10, 10), bool)
    expected[3:5, 3:5] = True
    np.testing.assert_array_equal(shadow(sky, 10, 10).reshape(10, 10), expected)


def test_a_coarser_sensor_mixes_more_and_keeps_the_mean() -> None:
    checks = (np.indices((12, 12)).sum(0) % 2).reshape(-1, 1).astype(float)
    fine, coarse = (footprint(checks, 12, 12, size) for size in (1, 3))
    assert coarse.std() < fine.std() < checks.std()
    constant = np.full((144, 2), 0.3)
    np.testing.assert_allclose(footprint(constant, 12, 12, 3), constant)


def test_the_discrepancy_is_smooth_and_of_the_field(patch: Landscape) -> None:
    e = Discrepancy(patch, np.random.default_rng(0), 0.05)
    wavelengths = np.arange(400.0, 2500.0)
    found = e(wavelengths, 120.0)
    assert len(np.unique(found[:, 0])) == len(patch.crop)
    assert 0.01 < found.std() < 0.1
    assert np.abs(np.diff(found, axis=1)).max() < 0.002
    assert np.abs(found - e(wavelengths, 220.0)).max() > 0.01


def test_passes_keep_their_orbits() -> None:
    orbits = [Orbit("a", 3.4, 10.0, 0.0, 0.0, 1), Orbit("b", -5.5, 16.0, 0.0, 0.0, 3)]
    times = [(time, orbit.sensor) for time, orbit in schedule(orbits, 0.0, 30.0)]
    assert times == [(3.4, "a"), (10.5, "b"), (13.4, "a"), (23.4, "a"), (26.5, "b")]


def test_leaf_area_is_measured_inside_fields(patch: Landscape) -> None:
    samples = field_work(patch, [100.0, 150.0], 0.0, np.random.default_rng(0))
    interior = inside(patch, 2)
    assert set(samples.pixel) <= set(interior)
    assert set(patch.field[samples.pixel]) == set(range(len(patch.crop)))
    grid = patch.field.reshape(24, 24)
    for pixel in interior:
        row, column = divmod(int(pixel), 24)
        assert len(np.unique(grid[row - 2 : row + 3, column - 2 : column + 3])) == 1
    relative = (samples.measured - samples.true) / np.hypot(0.2, 0.1 * samples.true)
    assert 0.6 < relative.std() < 1.4


def test_files_are_read_by_the_ordinary_readers(folder: Path) -> None:
    document = load(folder / demo.NAME)
    series = read_sources(document)
    assert set(series.channels) == {"sentinel2a", "sentinel2b", "landsat8", "landsat9"}
    assert series.pixels.attrs["crs"] == "EPSG:32631"
    assert (series.pixels.attrs["height"], series.pixels.attrs["width"]) == (18, 18)
    assert not [r for r in series.log if r["kind"] == "offset"]
    with xr.open_dataset(folder / "sentinel2.nc") as cube:
        counts, scl = cube["counts"].load(), cube["scl"].load()
        times = cube["time"].values
    first = next(a for a in series.acquisitions if a.sensor.startswith("sentinel"))
    at = int(np.abs((times - np.datetime64("1970-01-01")) / np.timedelta64(1, "D") - first.time)
             .argmin())  # fmt: skip
    clear = np.isin(scl.values[at], (4, 5)).ravel()[series.pixels["id"].values]
    np.testing.assert_array_equal(first.seen[:, 0].numpy(), clear)
    expected = counts.values[at, 6].ravel()[series.pixels["id"].values] * 1e-4 - 0.1
    np.testing.assert_allclose(first.values[clear, 6].numpy(), expected[clear], atol=1e-6)
    assert 20.0 < float(first.angles[0, 0]) < 70.0


def test_field_measurements_meet_their_pixels(folder: Path) -> None:
    table = pd.read_csv(folder / "field.csv")
    with xr.open_dataset(folder / "truth.nc") as true:
        fields = true["field"].load()
        lai = true["lai"].load()
    assert len(table) > 3
    for row in table.itertuples():
        assert int(fields.sel(x=row.x, y=row.y)) == row.field
    near = [
        float(lai.sel(x=r.x, y=r.y).sel(time=r.date, method="nearest")) for r in table.itertuples()
    ]
    assert np.abs(table["lai"] - near).mean() < 0.8


def test_the_same_seed_gives_the_same_season(tmp_path: Path, folder: Path) -> None:
    demo.simulate(tmp_path, 0, 18, SHORT)
    assert (tmp_path / "field.csv").read_text() == (folder / "field.csv").read_text()
    with (
        xr.open_dataset(tmp_path / "landsat.nc") as one,
        xr.open_dataset(folder / "landsat.nc") as two,
    ):
        xr.testing.assert_identical(one.load(), two.load())


def test_the_season_can_be_hindcast(folder: Path, tmp_path: Path) -> None:
    part = "window={rows: [0, 8], columns: [0, 17]}"
    settings = (
        *("members=8", "score.horizons=[10]", "products.every_days=20"),
        *(f"source.{number}.{part}" for number in range(2)),
    )
    out = tmp_path / "run"
    report = hindcast.command(load(folder / demo.NAME, settings), Options(out=out, quiet=True))
    assert report.is_file()
    with xr.open_dataset(out / "verification.nc") as found:
        assert {"background", "smoothed", "forecast_10"} <= set(found.case.values.tolist())
        ndvi = found.sel(case="background", channel="ndvi")
        assert float(ndvi["mean"].min()) > -1.0
        both = [s[:8] for s in found.sensor.values[ndvi.observed.notnull().any("pixel").values]]
        assert set(both) == {"sentinel", "landsat8", "landsat9"}
    with xr.open_dataset(out / "analysis.nc") as found:
        assert found["lai"].dims == ("time", "y", "x")
        assert bool(found["lai"].notnull().any())


def test_the_command_fits_and_names_its_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole command, with the season and the hindcast replaced by small ones."""
    seen = []

    def small(target: Path, seed: int) -> None:
        for name in ("sentinel2.nc", "landsat.nc", "field.csv"):
            (target / name).write_bytes((folder / name).read_bytes())

    def stand_in(document: object, options: Options) -> Path:
        seen.append((document, options))
        return Path("report.html")

    monkeypatch.setattr(demo, "simulate", small)
    monkeypatch.setattr(hindcast, "command", stand_in)
    settings = ("train={epochs: 1, members: 4, pixels: 4}", "period=[2023-03-01, 2023-04-20]")
    demo.command(Options(out=tmp_path / "run", overrides=settings, seed=5, quiet=True))
    ((document, options),) = seen
    assert options.out == tmp_path / "run"
    assert document.values["seed"] == 5
    assert document.values["forecast"] == {"name": "mean_reverting", "weights": WEIGHTS}
    assert document.resolve(WEIGHTS).is_file()
    assert torch.is_grad_enabled()
