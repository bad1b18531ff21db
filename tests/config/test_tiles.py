"""The laws of a run in tiles, with the tasks worked on in this process."""

import errno
import json
import shutil
from contextlib import nullcontext
from datetime import date
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da import open_products
from releo_da.cli import main
from releo_da.config import cycling, tile_cycle, tile_forecast, tile_work
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.standing import fresh
from releo_da.config.tile_alarms import together
from releo_da.config.tile_cycle import line, publish
from releo_da.config.tile_status import tiled_lines, tiled_status
from releo_da.config.verify import found as verifying
from releo_da.cycling.ledger import Ledger
from releo_da.io import read_products, read_state
from releo_da.io.lock import locked
from releo_da.runs import cycle, intake
from releo_da.types import InputError, State

from .tiled import HEIGHT, NAMES, WIDTH, backwards, deliver, here, opened, sweep, workplace


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return workplace(tmp_path)


def untiled(config: Path) -> Path:
    """The same run without tiles; returns its directory."""
    settings = ("cycle.tiles=null",)
    options = Options(out=config.parent / "whole", overrides=settings, quiet=True)
    cycling.command(load(config, settings), options, True, lambda t: None, lambda t: None)
    return config.parent / "whole"


def last_state(root: Path) -> State:
    with Ledger(root / "ledger.sqlite") as ledger:
        return read_state(root / ledger.last().state)


def test_a_run_in_tiles_is_the_untiled_run_bit_for_bit(config: Path) -> None:
    deliver(config.parent, 0, 1)
    assert sweep(config, backwards).assimilated == 2 * len(NAMES)
    deliver(config.parent, 2)
    told = sweep(config)
    assert told.assimilated == len(NAMES) and told.status == 0
    assert sweep(config).tasks == 0  # nothing is new
    tiled, whole = config.parent / "tiled", untiled(config)
    assert sorted(path.name for path in (tiled / "tiles").iterdir()) == sorted(NAMES)

    state = last_state(whole)
    parts = [last_state(tiled / "tiles" / name) for name in NAMES]
    ids = torch.cat([part.pixels for part in parts])
    assert torch.equal(ids.sort().values, state.pixels)
    assert torch.equal(torch.cat([p.ensemble for p in parts])[ids.argsort()], state.ensemble)

    mine, theirs = open_products(tiled), open_products(whole)
    assert mine.lai.chunks == ((1, 1, 1), (4, 2), (4, 4, 2))
    mine, theirs = mine.load(), theirs.load()
    for name in ("time", "sensor", "y", "x", "quantile", "lai", "lai_spread", "lai_quantile"):
        xr.testing.assert_identical(mine[name], theirs[name])
    assert mine.attrs == theirs.attrs and mine.crs.attrs["crs_wkt"] == theirs.crs.attrs["crs_wkt"]
    # Where the file of a date never saw a pixel, the sun is the mean over those that it saw.
    seen = np.isnan(theirs.lai.values) | np.stack([saw(config, 0), saw(config, 0), saw(config, 2)])
    a, b = mine.ndvi.values, theirs.ndvi.values
    np.testing.assert_array_equal(a[seen], b[seen])
    np.testing.assert_allclose(a, b, atol=2e-6)
    with Ledger(whole / "ledger.sqlite") as ledger:
        paths = [whole / cycle.product for cycle in ledger.cycles()]
    for place, path in enumerate(paths):
        np.testing.assert_array_equal(theirs.lai.values[place], read_products(path).lai.values[0])

    publish(tiled, json.loads((tiled / "tiles.json").read_text("utf-8"))["chosen"], True)
    said, other = (json.loads((root / "scores.json").read_text("utf-8")) for root in (tiled, whole))
    assert said["background"]["B04"]["n"] == other["background"]["B04"]["n"]
    assert said["background"]["B04"]["crps"] == pytest.approx(other["background"]["B04"]["crps"])
    row = said["innovations"]["sentinel2a"]
    assert row["reduced_chi2"] == pytest.approx(other["innovations"]["sentinel2a"]["reduced_chi2"])
    assert said["cycles"] == 3 * len(NAMES)


def saw(config: Path, date: int) -> np.ndarray:
    """Pixels that the file of a date saw at least once, ``[y, x]``."""
    with xr.open_dataset(config.parent / "inbox" / f"{date}.nc") as data:
        return (data.cloud == 0).any("time").values


def test_points_and_empty_runs_open_or_say_why(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no cycling run"):
        open_products(tmp_path)
    deliver(tmp_path, 0)
    sweep(config)
    found = open_products(tmp_path / "tiled")
    assert found.lai.shape == (1, HEIGHT, WIDTH)
    assert np.isnan(found.lai.values[0, 4:, 4:8]).all() and np.isnan(found.lai.values[0, 1, 1])


def test_a_damaged_tile_ends_with_2_and_the_others_go_on(config: Path) -> None:
    deliver(config.parent, 0)
    sweep(config)
    (broken,) = (config.parent / "tiled" / "tiles" / NAMES[1] / "states").iterdir()
    data = bytearray(broken.read_bytes())
    data[-5] ^= 4
    broken.write_bytes(data)
    deliver(config.parent, 1)
    told = sweep(config)
    assert told.status == 2 and told.outcomes == {"done": 4, "input": 1}
    standing = json.loads((config.parent / "tiled" / "standing.json").read_text("utf-8"))["tiles"]
    assert "restore the run directory" in standing[NAMES[1]]["error"]
    assert standing[NAMES[1]]["cycles"] == 1 and standing[NAMES[0]]["cycles"] == 2
    data[-5] ^= 4
    broken.write_bytes(data)
    told = sweep(config)  # the failed tile alone is tried again
    assert (told.tasks, told.assimilated, told.status) == (1, 1, 0)


def test_a_defect_in_a_tile_ends_with_1(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(config.parent, 0)
    original = tile_work._swept

    def poisoned(config, settings, device, root, tile, grid):
        if tile.name == NAMES[2]:
            raise RuntimeError("poison")
        return original(config, settings, device, root, tile, grid)

    monkeypatch.setattr(tile_work, "_swept", poisoned)
    told = sweep(config)
    assert told.status == 1 and told.outcomes == {"done": 4, "defect": 1}
    assert "1 defect" in line(told)
    log = (config.parent / "tiled" / "log.jsonl").read_text("utf-8")
    assert "poison" in log and "Traceback" in log


def test_an_acquisition_that_fails_for_good_costs_its_tile_a_status_and_no_other_tile(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(config.parent, 0, 1)
    plain = cycle.turn

    def fails(*arguments, **options):
        if options["acquisition"].time < 18384.0 and len(options["pixels"]) < 5:  # the last tile
            raise RuntimeError("no such table")
        return plain(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(cycle, "turn", fails)
        told = sweep(config)
    assert told.status == 1 and told.outcomes == {"done": 4, "defect": 1}
    assert told.assimilated == 2 * len(NAMES) - 1  # the date after it was assimilated there too
    found = tiled_status(config.parent / "tiled")
    assert found["counts"]["failed"] == 1 and found["summary"]["failed"] == 1
    assert "no such table" in found["tiles"][NAMES[-1]]["error"]
    told = sweep(config)  # set aside as it is, that tile has nothing more to do
    assert (told.tasks, told.assimilated, told.status) == (1, 0, 0)
    told = sweep(config, here, "tiled", "cycle.retry_failed=true")
    assert sweep(config).tasks == 0
    assert tiled_status(config.parent / "tiled")["counts"]["failed"] == 0


def test_tiles_that_are_asked_to_end_finish_their_cycle_and_go_on(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(config.parent, 0, 1)
    root, plain = config.parent / "tiled", cycle.turn

    def asked(*arguments, **options):
        (root / tile_work.STOP).touch()
        return plain(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(cycle, "turn", asked)
        told = sweep(config, lambda tasks: islice(here(tasks), 1))
    assert (told.outcomes, told.assimilated, told.status) == ({"stopped": 1}, 1, 0)
    assert not (root / tile_work.STOP).exists()
    assert tiled_status(root)["summary"] == {"done": 0, "failed": 0, "behind": 5}
    sweep(config)
    sweep(config, out="whole")
    for name in NAMES:
        one, other = (last_state(config.parent / o / "tiles" / name) for o in ("tiled", "whole"))
        assert torch.equal(one.ensemble, other.ensemble)


def test_a_tile_whose_folder_is_gone_is_not_begun_anew(config: Path) -> None:
    deliver(config.parent, 0)
    sweep(config)
    root = config.parent / "tiled"
    shutil.move(root / "tiles" / NAMES[1], config.parent / "kept")
    told = verifying(root)
    assert not told["sound"] and told["counts"]["tiles"] == 5
    assert [(one["file"], one["problem"]) for one in told["damage"]] == [
        (f"tiles/{NAMES[1]}", "is missing, with 1 cycles")
    ]
    found = tiled_status(root)
    assert found["summary"]["failed"] == 1 and "ledger is gone" in found["tiles"][NAMES[1]]["error"]
    told = sweep(config)
    assert (told.status, told.tasks, told.outcomes) == (2, 0, {"input": 1})
    deliver(config.parent, 1)
    (root / "tiles" / NAMES[1]).mkdir()  # empty is not begun, but for what the note says
    assert "ledger.sqlite" in verifying(root)["damage"][0]["file"]
    told = sweep(config)
    assert told.status == 2 and told.outcomes == {"done": 4, "input": 1}
    (root / "tiles" / NAMES[1]).rmdir()
    shutil.move(config.parent / "kept", root / "tiles" / NAMES[1])
    told = sweep(config)
    assert (told.tasks, told.assimilated, told.status) == (1, 1, 0)
    assert verifying(root)["sound"]


def test_a_file_that_could_not_be_read_for_a_while_is_read_again(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(config.parent, 0)

    def fails(*arguments, **options):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(intake, "looked_at", fails)
        told = sweep(config)
        assert (told.tasks, told.assimilated, told.changed) == (len(NAMES), 0, True)
        told = sweep(config)
        assert (told.tasks, told.changed) == (len(NAMES), False)  # nothing to publish of it
    told = sweep(config)
    assert (told.assimilated, told.changed) == (len(NAMES), True)
    assert sweep(config).tasks == 0


def test_a_date_ahead_of_the_clock_is_asked_for_from_its_day_on(config: Path) -> None:
    deliver(config.parent, 0)
    with xr.open_dataset(config.parent / "inbox" / "0.nc") as data:
        later = data.load().assign_coords(time=np.array(["2200-01-01T10:00"], "datetime64[s]"))
    later.to_netcdf(config.parent / "inbox" / "0.nc")
    sweep(config)
    noted = json.loads((config.parent / "tiled" / "standing.json").read_text("utf-8"))
    about, folder = noted["tiles"][NAMES[0]], config.parent / "tiled" / "tiles" / NAMES[0]
    day = (np.datetime64("2200-01-01") - np.datetime64("1970-01-01")).astype(int) + 10 / 24 - 1.0
    assert about["until"] == pytest.approx(day)
    assert fresh(about, folder, noted["listing"], day - 1.0)
    assert not fresh(about, folder, noted["listing"], day + 1.0)
    assert not fresh(about, folder, "another", day - 1.0)


def test_a_tile_restored_from_a_backup_catches_up(config: Path) -> None:
    root = config.parent / "tiled"
    deliver(config.parent, 0)
    sweep(config)
    shutil.copytree(root / "tiles" / NAMES[1], config.parent / "kept")
    deliver(config.parent, 1)
    sweep(config)
    shutil.rmtree(root / "tiles" / NAMES[1])
    shutil.move(config.parent / "kept", root / "tiles" / NAMES[1])
    told = sweep(config)
    assert (told.tasks, told.assimilated, told.changed) == (1, 1, True)
    assert tiled_status(root)["lag_days"] == 0.0 and sweep(config).tasks == 0


def test_a_failure_is_told_once_until_it_is_another(config: Path) -> None:
    deliver(config.parent, 0)
    sweep(config)
    root, told = config.parent / "tiled", []
    (root / "tiles" / NAMES[1] / "states" / "000001.safetensors").write_bytes(b"damaged")
    deliver(config.parent, 1)
    with opened(config) as run:
        first, second = (run.sweep(here, told.append) for _ in range(2))
    assert (first.changed, second.changed) == (True, False)
    assert (second.tasks, second.status) == (1, 2) and len(told) == 1
    with opened(config) as run:  # another call says why its status is 2; the log has it already
        assert not run.sweep(here, told.append).changed
    assert len(told) == 2
    log = map(json.loads, (root / "log.jsonl").read_text("utf-8").splitlines())
    assert len([one for one in log if one.get("outcome") == "input"]) == 1


def test_what_a_killed_call_did_not_publish_is_published_by_the_next(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command, with the tasks worked on here; an error of the report does not end it."""

    def drawn(root: Path) -> Path:
        (root / "report.html").write_text("drawn")
        return root / "report.html"

    def fails(root: Path) -> Path:
        raise RuntimeError("no such font")

    def called() -> tuple[Path | None, int]:
        options = Options(out=config.parent / "tiled")
        return tile_cycle.command(load(config, ()), options, True, lambda t: None, told.append)

    told: list[str] = []
    monkeypatch.setattr(tile_cycle, "client_of", lambda *about: nullcontext())
    monkeypatch.setattr(tile_cycle, "outcomes", lambda client, task, tasks, *about: here(tasks))
    monkeypatch.setattr(tile_cycle, "report", fails)
    deliver(config.parent, 0)
    assert called() == (None, 1) and "no such font" in told[0]
    monkeypatch.setattr(tile_cycle, "report", drawn)
    scores = config.parent / "tiled" / "scores.json"
    assert called() == (scores.with_name("report.html"), 0)
    deliver(config.parent, 1)
    sweep(config)  # killed before anything is published
    assert json.loads(scores.read_text("utf-8"))["cycles"] == len(NAMES)
    assert called()[1] == 0
    assert json.loads(scores.read_text("utf-8"))["cycles"] == 2 * len(NAMES)
    scores.unlink()
    assert called()[1] == 0 and scores.is_file()


def test_tiles_that_were_not_begun_are_no_damage_and_a_plan_that_is_lost_is(config: Path) -> None:
    deliver(config.parent, 0)
    root = config.parent / "tiled"
    sweep(config, lambda tasks: here({NAMES[0]: tasks[NAMES[0]]}))
    told = verifying(root)
    assert told["sound"] and told["counts"]["not begun"] == 4 and told["counts"]["cycles"] == 1
    (root / "tiles" / NAMES[3]).rmdir()  # no note says that it was begun, but it had a folder
    assert [one["file"] for one in verifying(root)["damage"]] == [f"tiles/{NAMES[3]}"]
    (root / "tiles" / NAMES[3]).mkdir()
    (root / "tiles" / "mine").mkdir()
    assert verifying(root)["unknown"] == ["tiles/mine"]
    for harm in (lambda path: path.write_bytes(b"{"), Path.unlink):
        harm(root / "tiles.json")
        assert [one["file"] for one in verifying(root)["damage"]] == ["tiles.json"]


def test_alarms_of_several_tiles_are_counted_once() -> None:
    one = {"kind": "biased", "sensor": "a", "channel": "B04", "since": "2020-05-06", "figure": 0.1}
    other = one | {"channel": "B8A", "since": "2020-05-01", "figure": -0.2}
    apart = [one | {"kind": "diverged"}, other | {"kind": "diverged"}]
    found = together([("t1", one), ("t2", other), ("t1", apart[0]), ("t2", apart[1])])
    assert found[0] == other | {"tiles": ["t1", "t2"]}
    assert [alarm["channel"] for alarm in found[1:]] == ["B04", "B8A"]


def test_a_busy_tile_waits_for_the_next_sweep(config: Path) -> None:
    deliver(config.parent, 0)
    held = config.parent / "tiled" / "tiles" / NAMES[0]
    held.mkdir(parents=True)
    with locked(held):
        told = sweep(config)
    assert told.outcomes == {"done": 4, "busy": 1} and told.status == 0
    assert sweep(config).tasks == 1


def test_files_are_refused_once_and_grids_by_name(config: Path) -> None:
    (config.parent / "inbox" / "0bad.nc").write_bytes(b"no product")
    told = sweep(config)  # nothing says the grid
    assert told.tasks == 0 and "0bad.nc" in next(iter(told.refused))
    deliver(config.parent, 0)
    deliver(config.parent, 1, shift=5.0, name="other.nc")
    told = sweep(config)
    assert told.assimilated == len(NAMES) and told.status == 0
    (other,) = (text for text in told.refused if "other.nc" in text)
    assert "lies on another grid" in other and told.refused[other] == len(NAMES)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cycle.tiles.size=5", "size was 4, is 5"),
        ("source.0.stride=2", "stride was None, is 2"),
        ("source.0.mask=null", "mask was"),
        ("source.0.window={rows: [0, 3]}", "window was"),
    ],
)
def test_another_cut_is_refused(config: Path, setting: str, message: str) -> None:
    deliver(config.parent, 0)
    sweep(config)
    with pytest.raises(InputError, match=message), opened(config, setting):
        pass


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cycle.tiles.size=0", "size"),
        ("cycle.tiles.workers=0", "workers"),
        ("cycle.tiles.timeout_minutes=0", "timeout_minutes"),
        ("cycle.tiles.retries=-1", "retries"),
        ("cycle.tiles.sise=3", "size"),
        ("cycle.tiles.jobqueue={system: slurn}", "slurm"),
        ("cycle.tiles.jobqueue={system: slurm, prologue: x}", "unknown option"),
        ("cycle.tiles.jobqueue={system: slurm, queue: 'a; rm b'}", "job script"),
        ("cycle.tiles={scheduler: 'tcp://a:1', jobqueue: {system: pbs}}", "not both"),
        ("source.0.reader=points", "only a map"),
    ],
)
def test_a_wrong_section_is_refused_at_once(config: Path, setting: str, message: str) -> None:
    with pytest.raises(InputError, match=message), opened(config, setting):
        pass
    assert not (config.parent / "tiled").exists()


def test_a_second_process_ends_with_75(config: Path, capsys) -> None:
    (config.parent / "tiled").mkdir()
    with locked(config.parent / "tiled"), pytest.raises(SystemExit) as ended:
        main(["cycle", "c.yaml", "--once", "--out", "tiled", "--quiet"])
    assert ended.value.code == 75
    assert not (config.parent / "tiled" / "config.yaml").exists()


def test_a_run_keeps_its_kind(config: Path, capsys) -> None:
    deliver(config.parent, 0)
    sweep(config)
    whole = untiled(config)
    with pytest.raises(InputError, match="holds a run in tiles"):
        settings = ("cycle.tiles=null",)
        options = Options(out=config.parent / "tiled", overrides=settings)
        cycling.command(load(config, settings), options, True, print, print)
    with pytest.raises(InputError, match="without tiles"):
        sweep(config, out=whole.name)


def test_status_and_report_tell_the_tiles(config: Path, capsys) -> None:
    deliver(config.parent, 0)
    root = config.parent / "tiled"
    held = root / "tiles" / NAMES[3]
    held.mkdir(parents=True)
    with locked(held):
        sweep(config)
    found = tiled_status(root)
    assert found["summary"] == {"done": 4, "failed": 0, "behind": 1}
    assert found["counts"]["cycles"] == 4 and found["last"] == "2020-05-01T10:50:00"
    assert found["tiles"][NAMES[3]]["stands"] == "behind"
    assert "another process" in found["tiles"][NAMES[3]]["error"]
    deliver(config.parent, 1)
    (root / "tiles" / NAMES[0] / "states" / "000001.safetensors").write_bytes(b"damaged")
    sweep(config)
    found = tiled_status(root)
    assert found["summary"] == {"done": 4, "failed": 1, "behind": 0}
    assert found["lag_days"] == found["tiles"][NAMES[0]]["lag_days"] == 5.0
    told = tiled_lines(found)
    assert told[0] == "tiles: 5 (4 done, 1 failed, 0 behind)"
    assert "failed tiles that lag behind: 1" in told and "files read: 2" in told
    assert any(one.startswith(f"failed: {NAMES[0]}: ") for one in told)

    path = publish(root, json.loads((root / "tiles.json").read_text("utf-8"))["chosen"], True)
    page = path.read_text("utf-8")
    assert "4 done, 1 failed, 0 behind." in page and NAMES[0] in page
    assert (root / "figures" / "tiles.png").is_file()
    assert (root / "figures" / "map_lai.png").is_file()
    assert "2020-05-01T10:50:00 to 2020-05-06T10:50:00" in page
    with pytest.raises(SystemExit) as ended:
        main(["status", "tiled", "--json"])
    assert ended.value.code == 2
    told = json.loads(capsys.readouterr().out)
    assert told["summary"]["failed"] == told["failed_and_lagging"] == 1
    assert told["counts"]["files"] == 2 and told["counts"]["refused"] == 0  # not once a tile
    assert told["age_days"] > 2000


def test_a_forecast_goes_over_all_tiles(config: Path) -> None:
    deliver(config.parent, 0, 1)
    sweep(config)
    root, whole = config.parent / "tiled", untiled(config)

    def share(tasks):
        return ((name, tile_forecast.forecast_tile(*a)) for name, a in tasks.items())

    until, told = date(2020, 6, 1), []
    assert tile_forecast.command(root, until, Options(), told.append, share) == (5, 0)
    with pytest.raises(SystemExit) as ended:
        main(["forecast", str(whole), "--until", "2020-06-01", "--quiet"])
    assert not ended.value.code
    theirs = read_products(whole / "forecast.nc").lai
    for name in NAMES:
        mine = read_products(root / "tiles" / name / "forecast.nc").lai
        part = theirs.sel(y=mine.y, x=mine.x)
        np.testing.assert_array_equal(mine.values, part.values)
    assert tile_forecast.command(root, date(2020, 5, 1), Options(), told.append, share) == (0, 2)
    assert len(told) == 5 and "give a later day" in told[0]
