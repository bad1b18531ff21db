"""`releo-da compare`: two twins of other acquisitions, toy models, a hindcast, and bad input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml

from releo_da.config import commands, compare
from releo_da.config.compare import summary
from releo_da.config.options import Options
from releo_da.diagnostics.differences import Difference
from releo_da.types import InputError

TWIN = yaml.safe_load((Path(__file__).parent / "land.yaml").read_text("utf-8"))
MORE = "source.twin.satellites=[{sensor: sentinel2a, channels: [B03, B04, B08, B11]}, " + (
    "{sensor: sentinel2b, channels: [B03, B04, B08, B11]}]"
)
TOY = {
    "seed": 1,
    "members": 8,
    "source": {"twin": {"truth": {"name": "lorenz63"}, "observe_every": 10, "steps": 30,
                        "replicates": 6, "seed": 4}},
    "forecast": {"name": "lorenz63"},
    "observe": {"name": "identity"},
    "analyse": [{"name": "etkf"}, {"name": "inflated", "factor": 1.05}],
    "score": {"burn_in": 0.5},
}  # fmt: skip

Releo = Callable[..., tuple[int, str, str]]


def made(folder: Path, values: dict[str, Any], name: str, *overrides: str) -> Path:
    path = folder / "twin.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    commands.twin(path, Options(folder / name, overrides, quiet=True))
    return folder / name


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One satellite and two, of the same truth."""
    folder = tmp_path_factory.mktemp("twins")
    return made(folder, TWIN, "one"), made(folder, TWIN, "two", MORE)


@pytest.fixture
def copied(twins: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the second run, to be spoilt."""
    return Path(shutil.copytree(twins[1], tmp_path / "spoilt"))


def compared(*runs: Path, out: Path) -> dict[str, Any]:
    compare.command(runs, Options(out, quiet=True))
    return json.loads((out / "compare.json").read_text("utf-8"))


def test_twins_of_other_acquisitions(
    twins: tuple[Path, Path], tmp_path: Path, releo: Releo
) -> None:
    status, said, errors = releo("compare", *twins, "--out", tmp_path / "both")
    assert (status, errors) == (0, "")
    assert "two against one, change of RMSE (products against the truth): LAI" in said
    found = json.loads((tmp_path / "both" / "compare.json").read_text("utf-8"))
    assert found["against"] == "one"
    assert set(found["configuration"]) == {
        "source.twin.satellites[1].sensor",
        "source.twin.satellites[1].channels",
    }
    assert "acquisitions in common" in found["notes"][0]
    listed = {(d["case"], d["variable"], d["score"]): d for d in found["differences"]["two"]}

    # Products by hand, on the dates, which do not depend on what flew.
    error = []
    for run in reversed(twins):
        with (
            xr.open_dataset(run / "analysis.nc") as ours,
            xr.open_dataset(run / "truth.nc") as true,
        ):
            error.append(float(np.sqrt(((ours.lai - true.lai) ** 2).mean())))
    lai = listed["products", "lai", "rmse"]
    assert lai["change"] == pytest.approx(error[0] / error[1] - 1.0, rel=1e-5)
    assert (lai["n"], lai["units"]) == (5 * 36, 1)  # less than one field
    assert (lai["over"], lai["verdict"]) == ("blocks of 21 × 21 pixels", "no interval")
    assert any("fewer than 8" in note for note in found["notes"])
    assert {"products", "analysis", "background", "forecast_5"} <= {case for case, *_ in listed}
    assert listed["products", "ndvi", "rmse"]["n"] == 5 * 36  # under other angles

    # Records by hand, on the acquisitions that both have.
    held = [xr.open_dataset(run / "verification.nc").load() for run in reversed(twins)]
    said_of = [one.sel(time=held[1].time, case="analysis", channel="lai") for one in held]
    crps = [float(one.crps.mean()) for one in said_of]
    assert listed["analysis", "lai", "crps"]["change"] == pytest.approx(
        crps[0] / crps[1] - 1.0, rel=1e-4
    )
    report = (tmp_path / "both" / "report.html").read_text("utf-8")
    for text in ("What differs between the configurations", "Side by side: analysis",
                 "two against one: analysis", "Error and spread through time"):  # fmt: skip
        assert text in report
    drawn = {path.stem for path in (tmp_path / "both" / "figures").glob("*.png")}
    assert {"changes", "errors", "calibration", "leads_lai", "series_lai"} <= drawn


def test_three_runs_and_names_made_unique(
    twins: tuple[Path, Path], copied: Path, tmp_path: Path
) -> None:
    again = Path(shutil.copytree(copied, tmp_path / "else" / "two"))
    found = compared(*twins, again, copied, out=tmp_path / "all")
    parent = twins[1].parent.name
    assert list(found["runs"]) == [
        f"{parent}/one",
        f"{parent}/two",
        "else/two",
        f"{tmp_path.name}/spoilt",
    ]
    first, second, third = found["differences"].values()
    assert first == second == third


def test_another_truth_is_told_and_not_paired(
    twins: tuple[Path, Path], copied: Path, tmp_path: Path
) -> None:
    for name, fields in (
        ("truth", ["lai", "soil_moisture", "ndvi"]),
        ("verification", ["observed"]),
    ):
        with xr.open_dataset(copied / f"{name}.nc") as held:
            moved = held.load()
        for field in fields:
            moved[field] = moved[field] + 1.0
        moved.to_netcdf(copied / f"{name}.nc")
    found = compared(twins[0], copied, out=tmp_path / "out")
    assert found["differences"]["spoilt"] == []
    assert any("another truth" in note for note in found["notes"])
    assert "nothing could be paired" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_another_land_is_not_paired_over_seeds_either(
    twins: tuple[Path, Path], tmp_path: Path
) -> None:
    """Constants of the crops and values at bounds are the same in any two landscapes."""
    first = Path(shutil.copytree(twins[0], tmp_path / "first"))
    other = made(tmp_path, TWIN, "other", "source.twin.seed=11")
    for root in (first, other):
        scores = json.loads((root / "scores.json").read_text("utf-8"))
        row = {"rmse": 1.0, "crps": 1.0, "coverage_90": 1.0}
        rows = [{"seed": s, "analysis": {"lai": row}} for s in (3, 4, 5)]
        scores["repeats"] = {"per_seed": rows}
        (root / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    found = compared(first, other, out=tmp_path / "out")
    assert found["differences"]["other"] == []
    assert any("Seeds of other and first are not paired" in note for note in found["notes"])


def test_repeats_are_compared_over_seeds(
    twins: tuple[Path, Path], copied: Path, tmp_path: Path
) -> None:
    first = Path(shutil.copytree(twins[0], tmp_path / "first"))
    for root, factor in ((first, 1.0), (copied, 0.5)):
        scores = json.loads((root / "scores.json").read_text("utf-8"))
        rows = [
            {"seed": s, "analysis": {"lai": {"rmse": factor * s, "crps": 1.0, "coverage_90": 1.0}}}
            for s in (3, 4, 5)
        ]
        scores["repeats"] = {"per_seed": rows}
        (root / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    listed = compared(first, copied, out=tmp_path / "out")["differences"]["spoilt"]
    (lai,) = [
        d for d in listed if (d["case"], d["variable"], d["score"]) == ("analysis", "lai", "rmse")
    ]
    assert (lai["over"], lai["units"]) == ("seeds", 3)
    assert [lai["change"], lai["lower"], lai["upper"]] == pytest.approx([-0.5] * 3)
    assert lai["verdict"] == "better"


def test_the_headline_of_repeated_runs_is_of_all_seeds() -> None:
    """Products are those of the first seed, where chance may say the opposite."""
    first = Difference("products", "lai", "rmse", 0.2, 0.1, 0.3, 12, "pixels", 60)
    every = Difference("smoothed", "lai", "rmse", -0.15, -0.22, -0.08, 3, "seeds", float("nan"))
    (said,) = summary("two", "one", [first, every])
    assert said == "two against one, change of RMSE (smoothed, 3 seeds): LAI −15 %, better."
    assert "products against the truth" in summary("two", "one", [first])[0]


def test_toy_models_are_compared_over_replicates(tmp_path: Path) -> None:
    one = made(tmp_path, TOY, "one")
    two = made(tmp_path, TOY, "two", "members=20")
    found = compared(one, two, out=tmp_path / "out")
    assert found["configuration"] == {"members": {"one": "8", "two": "20"}}
    listed = {(d["case"], d["score"]): d for d in found["differences"]["two"]}
    rmse = [
        np.mean(json.loads((run / "scores.json").read_text())["replicates"]["analysis"]["rmse"])
        for run in (two, one)
    ]
    held = listed["analysis", "rmse"]
    assert held["change"] == pytest.approx(rmse[0] / rmse[1] - 1.0)
    assert (held["over"], held["units"]) == ("replicates", 6)
    assert listed["analysis", "crps"]["over"] == "replicates"


def test_hindcasts_are_paired_by_what_was_withheld(
    workplace: Callable[..., Path], releo: Releo, tmp_path: Path
) -> None:
    config = workplace()
    for name, members in (("few", 8), ("many", 16)):
        assert releo("hindcast", config, "--out", name, "--set", f"members={members}")[0] == 0
    status, said, errors = releo("compare", "few", "many")
    assert (status, errors) == (0, "")
    found = json.loads((tmp_path / "runs" / "compare" / "compare.json").read_text("utf-8"))
    cases = {d["case"] for d in found["differences"]["many"]}
    assert {"smoothed", "background", "forecast_6"} <= cases
    assert {d["over"] for d in found["differences"]["many"]} == {"points"}
    assert "many against few, change of RMSE (smoothed): NDVI" in said


def spoil_text(name: str, old: str, new: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        path = root / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return spoil


def spoil_data(name: str, change: Callable[[xr.Dataset], xr.Dataset]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        with xr.open_dataset(root / name) as held:
            changed = change(held.load())
        changed.to_netcdf(root / name)

    return spoil


def rescored(scores: dict[str, Any]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        (root / "scores.json").write_text(json.dumps(scores), encoding="utf-8")

    return spoil


BAD = {
    "unfinished": (lambda r: (r / "scores.json").unlink(), "spoilt: holds no scores.json, so no"),
    "no log": (lambda r: (r / "log.jsonl").unlink(), "spoilt: holds no log.jsonl"),
    "no JSON": (lambda r: (r / "scores.json").write_text("{"), "scores.json: not valid JSON"),
    "a list": (lambda r: (r / "scores.json").write_text("[]"), "scores.json: holds no JSON object"),
    "no YAML": (lambda r: (r / "config.yaml").write_text("a: [1"), "config.yaml.*not valid YAML"),
    "scores of another form": (
        rescored({"analysis": {"rmse": 3.0}}),
        r"scores.json: holds no scores by case and variable.*an earlier state of releo_da 0\.1\.0",
    ),
    "records of another form": (
        spoil_data("verification.nc", lambda d: d.drop_vars("crps")),
        "verification.nc: holds no field 'crps', so it was written in another format",
    ),
    "records without cases": (
        spoil_data("verification.nc", lambda d: d.rename(case="part")),
        "verification.nc: holds no dimension 'case'",
    ),
    "products of another form": (
        spoil_data("analysis.nc", lambda d: d.rename(y="row")),
        "analysis.nc: holds no time with y and x",
    ),
    "damaged": (
        lambda r: (r / "analysis.nc").write_bytes(b"CDF"),
        "analysis.nc: not readable as netCDF",
    ),
    "another period": (
        spoil_text("config.yaml", "2023-06-12", "2023-06-13"),
        "different periods, 2023-05-20 to 2023-06-13 and 2023-05-20 to 2023-06-12",
    ),
    "another grid": (
        spoil_data("analysis.nc", lambda d: d.isel(x=slice(4))),
        "different grids or pixels, 6 × 4 pixels and 6 × 6 pixels",
    ),
    "elsewhere": (
        spoil_data("analysis.nc", lambda d: d.assign_coords(x=d.x + 10.0)),
        "different grids or pixels, 6 × 6 pixels and 6 × 6 pixels elsewhere",
    ),
    "no variable in common": (
        rescored({"smoothed": {"lst": {"rmse": 1.0}}}),
        r"no variable in common: spoilt scores lst \(smoothed\), one ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_compared_is_refused(
    name: str, twins: tuple[Path, Path], copied: Path, tmp_path: Path
) -> None:
    spoil, message = BAD[name]
    spoil(copied)
    with pytest.raises(InputError, match=message):
        compare.command((twins[0], copied), Options(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_bad_command_lines_end_with_2(
    twins: tuple[Path, Path], tmp_path: Path, releo: Releo
) -> None:
    out = ("--out", tmp_path / "out")
    (tmp_path / "link").symlink_to(twins[0])
    for line, message in (
        ((twins[0], *out), "two run directories or more"),
        ((*twins, tmp_path / "link", *out), "link is the same directory as"),
        ((twins[0], tmp_path / "nowhere", *out), "nowhere: no such directory"),
        ((*twins, "--out", twins[1]), "is the directory of a run; give another"),
    ):
        status, said, errors = releo("compare", *line)
        assert (status, said) == (2, "")
        assert message in errors and len(errors.splitlines()) == 1


def test_another_version_is_a_warning_where_files_can_be_read(
    twins: tuple[Path, Path], copied: Path, tmp_path: Path
) -> None:
    spoil_text("log.jsonl", '"version": "0.1.0"', '"version": "0.0.9"')(copied)
    found = compared(twins[0], copied, out=tmp_path / "out")
    assert found["notes"][0] == "Written by different versions: one by 0.1.0, spoilt by 0.0.9"


def test_a_configuration_that_was_changed_after_its_run_is_told(
    twins: tuple[Path, Path], copied: Path, tmp_path: Path
) -> None:
    assert not [
        note for note in compared(*twins, out=tmp_path / "as")["notes"] if "changed" in note
    ]
    spoil_text("config.yaml", "members: ", "members: 1")(copied)
    found = compared(twins[0], copied, out=tmp_path / "out")
    assert found["notes"][0].startswith("spoilt: config.yaml is not the one that the run was")
