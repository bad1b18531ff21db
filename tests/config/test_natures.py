"""Lands that are true in twin experiments: built from a configuration, and the same in any part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from releo_da.config import twin
from releo_da.config.document import load
from releo_da.config.natures import NATURES, years_of
from releo_da.config.options import Options
from releo_da.config.sections import as_date, days
from releo_da.config.simulated import simulated, training
from releo_da.config.twin_pixels import places
from releo_da.config.twin_setting import Prepared, prepared
from releo_da.io.location import places_of
from releo_da.nature.tables import SOURCES
from releo_da.types import InputError

CONFIG = yaml.safe_load((Path(__file__).parent / "land.yaml").read_text("utf-8"))


def written(folder: Path, **twin_options: object) -> Path:
    values = {**CONFIG, "source": {"twin": {**CONFIG["source"]["twin"], **twin_options}}}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def series(folder: Path, **options: object) -> list[torch.Tensor]:
    found = simulated(load(written(folder, **options)), Options(quiet=True))
    return [a.values for a in found.acquisitions]


def test_a_twin_on_fields_of_crops_scores_what_the_crops_have(tmp_path: Path) -> None:
    path = written(tmp_path)
    options = Options(out=tmp_path / "run", quiet=True)
    report = twin.command(load(path), options)
    text = (report.parent / "scores.json").read_text("utf-8")
    scores = yaml.safe_load(text)
    for name in ("lai", "cab", "soil_moisture", "ala", "ndvi", "B08"):
        assert scores["analysis"][name]["n"] > 0
        assert np.isfinite(scores["free_run"][name]["rmse"])
    assert "psoil" not in scores["analysis"]  # the truth has one, the state holds it at 1


def test_the_same_seed_gives_the_same_acquisitions_and_another_others(tmp_path: Path) -> None:
    one, again, other = series(tmp_path), series(tmp_path), series(tmp_path, seed=99)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_part_of_the_land_is_the_land_there(tmp_path: Path) -> None:
    """The first rows of a wider map: the same truth, clouds and errors, other noise per block."""
    quiet = {"noise": 0.0}
    small = series(tmp_path, pixels=[4, 6], instrument=quiet)
    large = series(tmp_path, pixels=[6, 6], instrument=quiet)
    assert all(torch.allclose(a, b[:24], atol=1e-6) for a, b in zip(small, large, strict=True))


def ready(folder: Path, **options: object) -> Prepared:
    return prepared(load(written(folder, **options)), torch.device("cpu"))


def test_training_meets_neither_the_years_nor_the_errors_of_a_scored_run(tmp_path: Path) -> None:
    """Without years, a run has those of the test and a fit those for tuning; the fields differ."""
    scored = ready(tmp_path, nature={"name": "wofost"})
    told = training(scored)
    assert told.made.nature == {"name": "wofost", "years": "tuning"}
    assert told.seed != scored.seed
    tuned = ready(tmp_path, cloud=0.0)
    one, other = tuned.simulate(tuned.pixels), training(tuned).simulate(tuned.pixels)
    pairs = list(zip(one.acquisitions, other.acquisitions, strict=True))
    assert all(not torch.equal(a.values, b.values) for a, b in pairs)
    same = zip(one.exact, other.exact, strict=True)
    assert all(not torch.equal(a, b) for a, b in same)


def test_a_satellite_over_a_land_has_the_bias_that_it_is_told(tmp_path: Path) -> None:
    """It arrives, the leaves are the same, and a run that estimates it is compared with it."""
    perfect = {"noise": 0, "calibration": 0, "spectral": 0, "atmosphere": 0, "haze": 0}
    satellite = {"sensor": "sentinel2a", "channels": ["B03", "B04", "B08", "B11"]}
    options = {"instrument": perfect, "cloud": 0.0}
    plain = ready(tmp_path, **options, satellites=[satellite])
    added = ready(tmp_path, **options, satellites=[{**satellite, "bias": {"B04": 0.02}}])
    one, other = (r.simulate(r.pixels) for r in (plain, added))
    expected = torch.tensor([0.0, 0.02, 0.0, 0.0])
    for a, b in zip(one.acquisitions, other.acquisitions, strict=True):
        assert torch.allclose(b.values - a.values, expected.expand_as(a.values), atol=1e-6)
    time = one.acquisitions[0].time
    assert torch.equal(one.states[time], other.states[time])
    document = load(tmp_path / "config.yaml", ("observe.bias={sentinel2a: {B04: 0.05}}",))
    estimating = prepared(document, torch.device("cpu"))
    truth = estimating.simulate(estimating.pixels)
    states, angles = truth.states[time], truth.acquisitions[0].angles
    for found in (truth.truth.decode(states), truth.truth.derive(states, angles)):
        assert torch.allclose(found["bias_sentinel2a_B04"], torch.tensor(0.02))


@pytest.mark.parametrize("shape", [5, [4, 6]])
def test_pixels_lie_where_their_fields_and_clouds_are(tmp_path: Path, shape: object) -> None:
    """What correlates errors or gathers neighbours meets the distances of the land."""
    held = ready(tmp_path, pixels=shape, spacing=20.0)
    row, column = places(held.pixels.numpy(), held.made.shape)
    found = places_of(held.ground)(held.pixels).numpy()
    true = 20.0 * np.stack([column, row], -1)
    apart = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (found, true)]
    assert np.allclose(apart[0], apart[1])


def test_undetected_cloud_brightens_what_is_called_clear(tmp_path: Path) -> None:
    quiet = {"noise": 0.0, "calibration": 0.0, "spectral": 0.0, "atmosphere": 0.0, "haze": 0.0}
    clear = series(tmp_path, cloud={"cover": 0.0}, instrument=quiet)
    missed = series(tmp_path, cloud={"cover": 0.0, "undetected": 0.5}, instrument=quiet)
    red = [float((m - c)[:, 1].mean()) for m, c in zip(missed, clear, strict=True)]
    assert max(red) > 0.02
    assert min(red) >= 0.0


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("part", ["tuning", "test"])
def test_years_of_tables_begin_with_another_for_each_seed(name: str, part: str) -> None:
    kind = {"name": name.split("_")[0], "years": part}
    if "_" in name:
        kind["climate"] = name.split("_")[1]
    lands = [
        NATURES.build(kind, "here", {"calendar": [2022, 2023], "seed": seed}) for seed in (0, 1)
    ]
    assert len(lands[0].seasons) == 2
    assert np.array_equal(lands[0].seasons[1].lai[:, :360], lands[1].seasons[0].lai[:, :360])
    assert not set(SOURCES[name].tuning) & set(SOURCES[name].test)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nature": {"name": "wofost", "years": [1990, 1992]}}, "2 years of weather for the 1 cal"),
        ({"nature": {"name": "wofost", "crops": ["vine"]}}, "no growth of vine; there is"),
        ({"nature": {"name": "wofast"}}, "wofost"),
        ({"nature": {"name": "wofost"}, "truth": "mean_reverting"}, "remove one"),
        ({"cloud": {"cover": 1.5}}, "cover is 1.5"),
        ({"instrument": {"noise": -1.0}}, "noise is -1.0"),
        ({"nature": {"name": "wofost", "years": "test"}}, "years asks for test years"),
        ({"nature": {"name": "wofost", "years": [1996]}}, "years asks for 1996 of the test years"),
        ({"nature": {"name": "phenology", "crops": []}}, "crops: the list is empty"),
        ({"nature": {"name": "wofost", "field_size": 0}}, "field_size is 0"),
        ({"nature": {"name": "phenology", "discrepancy": -0.1}}, "discrepancy is -0.1"),
        ({"seed": -5}, "seed is -5"),
        ({"place": [500.0, 40.0]}, "longitude from -180"),
        ({"satellites": [{"sensor": "sentinel2a", "view_zenith": 95}]}, "view_zenith is 95"),
        ({"satellites": [{"sensor": "sentinel2a", "hour": 30}]}, "hour is 30"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        series(tmp_path, **options)


def test_years_of_a_period() -> None:
    first, last = days(as_date("2021-12-31", "x")), days(as_date("2023-12-31", "x"), end=True)
    assert years_of((first, last)) == [2021, 2022, 2023]


def test_a_pass_is_the_same_whatever_else_flies(tmp_path: Path) -> None:
    channels = ["B03", "B04", "B08", "B11"]
    one = [{"sensor": "sentinel2a", "channels": channels}]
    two = [{"sensor": "sentinel2b", "channels": channels}, *one]
    for cloud in ({"cover": 0.5}, 0.5):
        alone = simulated(load(written(tmp_path, satellites=one, cloud=cloud)), Options(quiet=True))
        beside = simulated(
            load(written(tmp_path, satellites=two, cloud=cloud)), Options(quiet=True)
        )
        common = [a for a in beside.acquisitions if a.sensor == "sentinel2a"]
        assert len(common) < len(beside.acquisitions)
        for a, b in zip(alone.acquisitions, common, strict=True):
            assert torch.equal(a.values, b.values)
            assert torch.equal(a.error, b.error)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "wofost", "crops": []}, "nature: crops: the list is empty; name crops, or leave"),
        ({"name": "wofost", "crops": ["vine"]}, "no growth of vine.*grassland"),
        ({"name": "aquacrop", "crops": ["maize"]}, "aquacrop of climate champion would have it"),
        ({"name": "wofost", "years": [1993, 1994]}, r"source.twin.nature: years: 2 years of weath"),
    ],
)
def test_bad_natures_are_refused_in_one_message(
    tmp_path: Path, options: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message) as told:
        ready(tmp_path, nature=options)
    assert str(told.value).count("source.twin.nature") == 1


def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path) -> None:
    for options, key in (
        ({"cloud": {"cover": 1.5}}, "source.twin.cloud: cover is 1.5"),
        ({"place": [6.8, 95.0]}, "source.twin: place is"),
        ({"satellites": []}, "source.twin: satellites: the list is empty"),
    ):
        with pytest.raises(InputError) as told:
            ready(tmp_path, **options)
        assert str(told.value).startswith(f"{tmp_path / 'config.yaml'}: {key}")
