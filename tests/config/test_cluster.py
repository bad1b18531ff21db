"""Workers that are killed or hang, the command stopped and resumed, and batch systems by name."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from distributed import Client

from releo_da.cli import main
from releo_da.config.cluster import SYSTEMS, Workers, batch_cluster, client_of, outcomes
from releo_da.config.tile_status import tiled_status
from releo_da.types import InputError

from .tiled import NAMES, deliver, sweep, workplace


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with client_of(Workers(2, None, None, 60.0, 1), 9) as client:
        yield client


def told(client: Client, work: Any, tasks: dict[str, Any], seconds: float = 60.0) -> dict[str, Any]:
    return dict(outcomes(client, work, tasks, Workers(2, None, None, seconds, 1)))


def test_a_killed_worker_costs_a_task_and_no_other(client: Client, tmp_path: Path) -> None:
    def work(name: str, folder: str, deaths: int) -> dict[str, Any]:
        tries = Path(folder) / name
        with tries.open("a") as file:
            file.write("x")
        if len(tries.read_text()) <= deaths:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"outcome": "done", "threads": os.environ["OMP_NUM_THREADS"]}

    tasks = {name: (name, str(tmp_path), n) for name, n in (("a", 0), ("b", 1), ("c", 99))}
    found = told(client, work, tasks | {"d": ("d", str(tmp_path), 0)})
    assert {name: one["outcome"] for name, one in found.items()} == {
        "a": "done",
        "b": "done",  # begun again on another worker
        "c": "lost",
        "d": "done",
    }
    assert "its worker ended under it" in found["c"]["error"]
    assert found["a"]["threads"] == "1"


def test_a_task_that_hangs_is_given_up_and_the_others_go_on(client: Client) -> None:
    def work(seconds: float) -> dict[str, Any]:
        time.sleep(seconds)
        return {"outcome": "done"}

    client.wait_for_workers(2, timeout=60)
    begun = time.monotonic()
    found = told(client, work, {"hung": (600.0,), "a": (0.0,), "b": (0.0,), "c": (0.0,)}, 3.0)
    assert time.monotonic() - begun < 60.0
    assert found.pop("hung")["error"].startswith("took more than cycle.tiles.timeout_minutes")
    assert found == dict.fromkeys("abc", {"outcome": "done"})
    client.wait_for_workers(2, timeout=60)  # the one that hung is back
    assert told(client, work, {"later": (0.0,)}) == {"later": {"outcome": "done"}}


def test_being_asked_to_end_begins_nothing_and_lets_the_rest_finish(
    client: Client, tmp_path: Path
) -> None:
    """Ctrl-C reaches the workers too, which are not ended by it."""

    def work(path: str) -> dict[str, Any]:
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1.0)
        return {"outcome": "done"}

    tasks = {name: (str(tmp_path / name),) for name in "abcd"}
    wanted = Workers(2, None, None, 60.0, 1)
    client.wait_for_workers(2, timeout=60)
    ended = dict(outcomes(client, work, tasks, wanted, lambda: any(tmp_path.iterdir())))
    assert ended == dict.fromkeys(sorted(p.name for p in tmp_path.iterdir()), {"outcome": "done"})
    assert 1 <= len(ended) <= 2
    assert list(outcomes(client, work, tasks, wanted, lambda: True)) == []


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    wanted = Workers(1, "nowhere://a:1", None, 60.0, 1)
    with pytest.raises(InputError, match="nowhere://a:1 does not answer"), client_of(wanted, 1):
        pass


def test_a_scheduler_that_runs_already_is_used_and_left(client: Client) -> None:
    def work() -> dict[str, Any]:
        return {"outcome": "done"}

    wanted = Workers(1, client.scheduler.address, None, 60.0, 1)
    with client_of(wanted, 1) as other:
        assert told(other, work, {"a": ()}) == {"a": {"outcome": "done"}}
    assert client.scheduler_info()["workers"]


def test_batch_systems_are_made_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("dask_jobqueue")
    for name in SYSTEMS.values():
        setattr(module, name, lambda made=name, **options: (made, options))
    monkeypatch.setitem(sys.modules, "dask_jobqueue", module)
    given = {"system": "slurm", "queue": "long", "walltime": "04:00:00"}
    made, options = batch_cluster(given)
    assert made == "SLURMCluster"
    assert options == {"cores": 1, "memory": "4GB", "queue": "long", "walltime": "04:00:00"}
    with pytest.raises(InputError, match="job script"):
        batch_cluster({"system": "pbs", "job_extra_directives": ["-l x\nrm -r y"]})
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(InputError, match=r"releo-da\[cluster\]"):
        batch_cluster({"system": "pbs"})


def test_a_machine_that_submits_no_jobs_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    wanted = Workers(2, None, {"system": "slurm", "queue": "long"}, 60.0, 1)
    with pytest.raises(InputError, match="no command 'sbatch'"), client_of(wanted, 2):
        pass


def test_two_workers_that_are_stopped_go_on_to_the_bits_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    config = workplace(tmp_path)
    deliver(tmp_path, 0)
    sweep(config, out="alone")
    call = ["cycle", "c.yaml", "--once", "--out", "tiled", "--quiet"]

    def ask() -> None:
        while not list((tmp_path / "tiled").glob("tiles/*/states/*.safetensors")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    asking = Thread(target=ask, daemon=True)
    asking.start()
    with pytest.raises(SystemExit) as ended:
        main(call)
    asking.join()
    assert ended.value.code == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in capsys.readouterr().err
    noted = json.loads((tmp_path / "tiled" / "call.json").read_text("utf-8"))
    assert (noted["outcome"], noted["error"]) == ("stopped", "SIGTERM")
    found = tiled_status(tmp_path / "tiled")
    assert 1 <= found["counts"]["cycles"] < len(NAMES) and found["summary"]["failed"] == 0
    with pytest.raises(SystemExit) as ended:
        main(call)
    assert not ended.value.code
    for name in NAMES:
        folders = [tmp_path / run / "tiles" / name / "states" for run in ("alone", "tiled")]
        files = [{path.name: path.read_bytes() for path in one.iterdir()} for one in folders]
        assert len(files[0]) == 1 and files[0] == files[1]
    assert (tmp_path / "tiled" / "report.html").is_file()
    assert json.loads((tmp_path / "tiled" / "scores.json").read_text("utf-8"))["cycles"] == 5
    assert not (tmp_path / "tiled" / ".stop").exists()
