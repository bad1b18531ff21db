"""What a service refuses: wrong configurations, changes of what decides, unreadable files."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml

from releo_da.config import commands
from releo_da.config.cycle_settings import configured_channels
from releo_da.cycling.ledger import Ledger
from releo_da.observation.plausible import population

from .served import CONFIG, CYCLE, Run, deliver, run

__all__ = ["run"]


def test_a_change_of_what_decides_is_refused(tmp_path: Path, run: Run, capsys) -> None:
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    assert run(*CYCLE, "--set", "cycle.poll_seconds=5", "--set", "products.every_days=5") == 0
    change = ("--set", "analyse=etkf")
    assert run(*CYCLE, *change) == 2
    assert "analyse was" in capsys.readouterr().err
    held = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text("utf-8"))
    assert held["analyse"] == CONFIG["analyse"]
    assert run(*CYCLE, *change, "--set", "cycle.accept_changes=true") == 0
    assert run(*CYCLE, *change) == 0  # from now on this is the run
    bigger = ("--set", "members=8", "--set", "cycle.accept_changes=true")
    assert run(*CYCLE, *bigger) == 2
    assert "[member, latent]" in capsys.readouterr().err


def test_another_order_of_channels_is_another_system(tmp_path: Path, run: Run, capsys) -> None:
    """It is the order of the channel axis of copies, and of the latents of biases."""
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE) == 0
    config: dict[str, Any] = copy.deepcopy(CONFIG)
    entry = config["source"][0]
    config["source"] = [dict(reversed(entry.items()))]  # options of a source have no order
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    assert run(*CYCLE) == 0
    config["source"][0]["channels"] = {"B8A": "nir", "B04": "red"}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    capsys.readouterr()
    assert run(*CYCLE) == 2
    assert "[['B8A', 'nir'], ['B04', 'red']]" in capsys.readouterr().err
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    assert run(*CYCLE, "--set", "cycle.accept_changes=true") == 2
    assert "were B04, B8A in this order and are B8A, B04" in capsys.readouterr().err
    assert (tmp_path / "run" / "config.yaml").read_bytes() == before
    config["source"][0]["channels"] = {"B04": "red", "B8A": "infrared"}  # as files call them
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    assert run(*CYCLE, "--set", "cycle.accept_changes=true") == 0


def test_settings_are_kept_from_the_first_acquisition_that_is_accepted(
    tmp_path: Path, run: Run, capsys, monkeypatch
) -> None:
    """A first call that ends before its first cycle leaves readings of a wrong sensor."""
    deliver(tmp_path / "inbox", 0, 1)

    def killed(self: Ledger, cycle: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "commit", killed)
        assert run(*CYCLE, "--set", "source.0.sensor=sentinel2b") == 130
    capsys.readouterr()
    assert run(*CYCLE) == 2
    assert "give another --out" in capsys.readouterr().err
    with Ledger(tmp_path / "run" / "ledger.sqlite") as ledger:
        assert {one.sensor for one in ledger.queue.listed("waiting")} == {"sentinel2b"}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cycle.inbox=nowhere", "nowhere"),
        ("cycle.poll_seconds=0", "poll_seconds"),
        ("cycle.replay_days=-1", "replay_days"),
        ("cycle.thin_days=0", "thin_days"),
        ("cycle.ahead_days=-1", "ahead_days"),
        ("cycle.pol_seconds=5", "poll_seconds"),
        ("source.0.valuse=x", "values"),
        ("source.0.channels=null", "channels"),
        ("source.0.sensor=sentinel2x", "sentinel2x"),
        ("source=[]", "one source"),
    ],
)
def test_a_wrong_configuration_is_refused_at_once(
    tmp_path: Path, run: Run, capsys, setting: str, message: str
) -> None:
    (tmp_path / "inbox").mkdir()
    assert run(*CYCLE, "--set", setting) == 2
    assert message in capsys.readouterr().err


def test_a_first_call_that_can_read_nothing_says_why(tmp_path: Path, run: Run, capsys) -> None:
    deliver(tmp_path / "inbox", 0)
    assert run(*CYCLE, "--set", "source.0.values=refl") == 2
    assert "reflectance" in capsys.readouterr().err
    assert run(*CYCLE) == 0  # the same file, read as it should be
    assert json.loads((tmp_path / "run" / "scores.json").read_text("utf-8"))["cycles"] == 1


def test_a_damaged_file_is_told_by_a_quiet_call(tmp_path: Path, run: Run, capsys) -> None:
    deliver(tmp_path / "inbox", 0)
    (tmp_path / "inbox" / "broken.nc").write_bytes(b"no product")
    assert run(*CYCLE) == 0
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("releo-da: refused: ")
    assert "broken.nc" in line
    assert run(*CYCLE) == 0  # known as it is
    assert capsys.readouterr().err == ""


def test_sensors_come_from_the_source() -> None:
    source = {"sensor": {"from": "platform", "S2B": "sentinel2b", "S2A": "sentinel2a"}}
    found = configured_channels(source | {"channels": {"B04": "red"}}, "here")
    assert found == {"sentinel2a": ("B04",), "sentinel2b": ("B04",)}
    assert commands.sections()["cycle"].__name__ == "cycle"


def test_windows_are_refused_with_the_reason(run: Run, tmp_path, capsys) -> None:
    deliver(tmp_path / "inbox", 0)
    analyse = "analyse=[{name: ienks}, {name: window, lag: 2, shift: 1}]"
    assert run("cycle", "c.yaml", "--once", "--out", "run", "--set", analyse) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "'window' cannot run in `cycle`" in said and "run it with `hindcast`" in said
    assert not (tmp_path / "run").exists()


def test_a_forgotten_offset_is_refused_in_one_file_and_in_many(tmp_path: Path, run: Run) -> None:
    """Forty pixels of fields and soils on four dates, the third of which reads +0.1 everywhere."""
    names = ("B02", "B03", "B04", "B05", "B8A", "B11")
    known = population("sentinel2a", names).spectra.numpy()
    values = known[np.random.default_rng(2).choice(len(known), (4, 40), replace=False)]
    values[2] += 0.1
    times = np.datetime64("2020-05-01T10:50", "ns") + np.arange(4) * np.timedelta64(5, "D")
    data = xr.Dataset(
        {"reflectance": (("time", "point", "band"), values)},
        {
            "time": times,
            "band": list(names),
            "x": ("point", 1.0 + 0.001 * np.arange(40)),
            "y": ("point", np.full(40, 43.0)),
        },
        {"crs": "EPSG:4326"},
    )
    channels = json.dumps({name: name for name in names})
    made = {}
    for way, parts in (("one", [[0, 1, 2, 3]]), ("many", [[3], [2], [0], [1]])):
        inbox = tmp_path / way
        inbox.mkdir()
        for part in parts:
            data.isel(time=part).to_netcdf(inbox / f"{part[0]}.nc")
        settings = ("--set", f"source.0.channels={channels}", "--set", f"cycle.inbox={way}")
        assert run("cycle", "c.yaml", "--once", "--out", f"run {way}", "--quiet", *settings) == 0
        with Ledger(tmp_path / f"run {way}" / "ledger.sqlite") as ledger:
            (error,) = ledger.files.refused().values()
        assert "2020-05-11T10:50:00: sentinel2a: all channels +0.100" in error
        products = sorted((tmp_path / f"run {way}" / "products").iterdir())
        made[way] = {path.name: path.read_bytes() for path in products}
    assert made["one"] == made["many"] and len(made["one"]) == 3
