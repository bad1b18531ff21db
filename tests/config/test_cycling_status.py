"""What `releo-da status` says of a service: what was left out and why, how the last call ended."""

import json
from pathlib import Path

import numpy as np
import xarray as xr

from releo_da.config.status import LABELS, lines

from .served import CYCLE, Run, deliver, run

__all__ = ["run"]


def test_status_names_what_was_left_out(tmp_path: Path, run: Run, capsys) -> None:
    deliver(tmp_path / "inbox", 1)
    assert run(*CYCLE) == 0
    deliver(tmp_path / "inbox", 0)
    brighter = xr.load_dataset(tmp_path / "inbox" / "1.nc")
    brighter["reflectance"] += 0.01
    brighter["reflectance"][0] = np.nan  # it sees less
    brighter.to_netcdf(tmp_path / "inbox" / "again.nc")
    brighter["reflectance"] *= np.nan
    brighter.assign_coords(time=brighter.time + np.timedelta64(5, "D")).to_netcdf(
        tmp_path / "inbox" / "dark.nc"
    )
    (tmp_path / "inbox" / "broken.nc").write_bytes(b"half a file")
    assert run(*CYCLE, "--set", "cycle.replay_days=3") == 0
    capsys.readouterr()
    assert run("status", "run") == 0
    told = capsys.readouterr().out
    assert "duplicate: 2020-05-06T10:50:00 sentinel2a" in told and "(again.nc)" in told
    assert "late: 2020-05-01T10:50:00 sentinel2a" in told and "(0.nc)" in told
    assert "unclear: 2020-05-11T10:50:00 (dark.nc)" in told
    assert "refused: broken.nc" in told
    assert run("status", "run", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["file"] for one in found["duplicate"]] == ["again.nc"]
    assert [one["file"] for one in found["late"]] == ["0.nc"]
    assert len(found["late"][0]["digits"]) == 12
    assert not found["refused"][0]["gone"]
    (tmp_path / "inbox" / "broken.nc").unlink()
    assert run("status", "run") == 0
    told = capsys.readouterr().out
    assert "refused: broken.nc: " in told and "; gone from the inbox" in told
    assert "files refused: 0" in told and "have left the inbox since: 1" in told
    assert f"; read {found['refused'][0]['read']}" in told
    assert found["refused"][0]["read"].startswith("20") and found["counts"]["refused"] == 1
    assert found["unclear"] == [{"product": "2020-05-11T10:50:00", "file": "dark.nc"}]
    assert found["refused"][0]["file"] == "broken.nc"
    assert run("status", "inbox") == 2
    assert "no cycling run" in capsys.readouterr().err


def test_status_tells_how_the_last_call_ended_and_a_damaged_state(
    tmp_path: Path, run: Run, capsys
) -> None:
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    capsys.readouterr()
    assert run("status", "run", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["call"]["outcome"] == "done" and found["call"]["error"] is None
    assert found["call"]["started"] <= found["call"]["ended"]
    assert found["age_days"] > 2000 and found["damaged"] is None

    for name in ("pixels.nc", "pixels.sha256"):
        path = tmp_path / "run" / name
        sound = path.read_bytes()
        path.write_bytes(b"damaged")
        assert run("status", "run") == 2
        assert f"DAMAGED: {path.relative_to(tmp_path)}: " in capsys.readouterr().out
        path.write_bytes(sound)

    (tmp_path / "run" / "states" / "000001.safetensors").write_bytes(b"damaged")
    deliver(tmp_path / "inbox", 1)
    assert run(*CYCLE) == 2
    capsys.readouterr()
    assert run("status", "run") == 2
    told = capsys.readouterr().out
    assert "DAMAGED: " in told and "000001.safetensors" in told
    assert "last call: began " in told and ", failed: " in told
    with (tmp_path / "run" / "log.jsonl").open("a", encoding="utf-8") as log:
        begun = {"kind": "started", "command": "cycle", "written": "2999-01-01T00:00:00+00:00"}
        log.write(json.dumps(begun) + "\n")
    assert run("status", "run") == 2
    told = capsys.readouterr().out
    assert "last call: began 2999-01-01T00:00:00+00:00, at work or killed" in told


def test_long_lists_of_status_are_cut() -> None:
    late = [dict(time=f"t{k}", sensor="s", product="p", file="f", digits="d") for k in range(20)]
    counts = dict.fromkeys(LABELS, 0) | {"late": 20}
    kinds = ("alarms", "waiting", "duplicate", "replaced", "unclear", "refused", "failed")
    empty: dict[str, list] = {kind: [] for kind in kinds}
    plain = dict.fromkeys(("last", "call", "age_days", "damaged"))
    told = lines({"counts": counts, "late": late, **plain, **empty})
    assert "late: 20 in all, --json lists them; the last 12:" in told
    assert told[-1].startswith("late: t19") and sum("p (f)" in line for line in told) == 12
