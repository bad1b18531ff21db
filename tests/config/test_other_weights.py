"""A run goes on with the weights that it was made with, or says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from releo_da.config.cycle_settings import other_latents
from releo_da.config.document import load
from releo_da.cycling.ledger import Ledger
from releo_da.state.layout import Layout

from .learned import SMALL, met
from .served import CONFIG, deliver, run
from .test_hybrid_weights import driven

__all__ = ["run"]

Run = Callable[..., int]
Workplace = Callable[..., Path]
Releo = Callable[..., tuple[int, str, str]]
ONCE = ("cycle", "c.yaml", "--once", "--out", "run", "--quiet")
CHANNELS = {"sentinel2a": ("B04", "B8A")}


def configured(**forecast: object) -> None:
    Path("c.yaml").write_text(yaml.safe_dump({**CONFIG, "forecast": forecast}), encoding="utf-8")


def weights(name: str, days: float = 50.0, **forecast: object) -> None:
    """Weights of a forecaster that says its gaps, in the folder of the configuration."""
    configured(**{**SMALL, **forecast})
    met(Path(name), Path("c.yaml"), CHANNELS, days)


def test_a_service_refuses_other_weights_and_other_kinds(
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another file may be accepted; another kind of state never, be it as large as the one."""
    for name in ("serving", "forecast"):  # figures are not what counts
        monkeypatch.setattr(f"releo_da.config.{name}.report", lambda root, *_: root / "report.html")
    weights("swapped.safetensors", memory=0, slow=["timing"])  # as many latents
    weights("longer.safetensors", days=60.0, step=5)
    Path("other.safetensors").write_bytes(Path("longer.safetensors").read_bytes())
    weights("w.safetensors")
    network = {**SMALL, "weights": "w.safetensors"}
    configured(**network)
    deliver(tmp_path / "inbox", 0)
    assert run(*ONCE) == 0
    deliver(tmp_path / "inbox", 1)
    accept = ("--set", "cycle.accept_changes=true")
    swapped = {**SMALL, "memory": 0, "slow": ["timing"], "weights": "swapped.safetensors"}
    kinds = {
        "they hold 'memory 1', the configuration has 'timing'": swapped,
        "they hold 'memory 1'": {"name": "mean_reverting"},
        "velocity of": {**network, "kernel": "ou", "weights": None},
    }
    for words, forecast in kinds.items():
        configured(**{key: value for key, value in forecast.items() if value is not None})
        assert run(*ONCE) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "the run was made otherwise" in said and "give another --out" in said
        assert run(*ONCE, *accept) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "the states are of another kind" in said and words.replace("'", "") in said
        assert "give another --out" in said
    with Ledger(tmp_path / "run/ledger.sqlite") as ledger:
        assert ledger.counts()["cycles"] == 1

    configured(**{**SMALL, "step": 5, "weights": "longer.safetensors"})
    assert run(*ONCE) == 2
    assert "weights was" in " ".join(capsys.readouterr().err.split())
    assert run(*ONCE, *accept) == 0
    assert run(*ONCE) == 0  # they are the run's own now
    with Ledger(tmp_path / "run/ledger.sqlite") as ledger:
        assert ledger.counts()["cycles"] == 2

    def ahead(*settings: str) -> tuple[int, str]:
        status = run("forecast", "run", "--until", "2020-06-01", "--quiet", *settings)
        return status, " ".join(capsys.readouterr().err.split())

    status, said = ahead("--set", "forecast=mean_reverting")
    assert status == 2 and "another kind than the forecaster" in said
    assert "leave out --set of 'forecast'" in said
    status, said = ahead("--set", "forecast.memory=2")
    assert (
        status == 2 and "configuration (memory is 1 there and 2 here; parameters forecast." in said
    )
    shutil.copy("swapped.safetensors", "run/weights.safetensors")
    status, said = ahead()
    assert status == 2 and "run/weights.safetensors: weights were fitted for another" in said
    assert "fit them again with `releo-da train`" in said
    shutil.copy("other.safetensors", "run/weights.safetensors")
    assert ahead()[0] == 0


def test_a_ledger_that_tells_no_latents_is_gone_on_with(tmp_path: Path, run: Run) -> None:
    """One that was written before they were told."""
    deliver(tmp_path / "inbox", 0)
    assert run(*ONCE) == 0
    with Ledger(tmp_path / "run/ledger.sqlite") as ledger:
        held = dict(ledger.settings() or {})
        assert held.pop("latents")[0] == "n"
        ledger.accept(held)
    deliver(tmp_path / "inbox", 1)
    assert run(*ONCE) == 0


def test_names_of_latents_say_what_differs() -> None:
    """As many names as latents, none twice; states as long as each other are told apart."""
    for kind in (
        Layout(("lai", "cab"), knots=(665.0, 842.0), slow=("timing",), memory=2),
        Layout(("lai", "cab"), {}, False, (665.0,), own=("lai",), own_harmonics=2, memory=1),
        Layout(("lai",), {}, True, (665.0,), True, ("lai",), 1, own_residual=True),
    ):
        assert len(kind.latents) == len(set(kind.latents)) == kind.size
    one, other = (Layout(("lai",), {}, v, rough=not v).latents for v in (True, False))
    assert len(one) == len(other)
    assert other_latents(one, one) == ""
    assert other_latents(one, other) == (
        "they hold velocity of lai, the configuration has rough part of lai"
    )
    assert other_latents(("lai", "cab"), ("cab", "lai")) == "their latents come in another order"


def test_an_encoder_of_another_state_or_version_is_refused_by_every_command(
    workplace: Workplace, releo: Releo
) -> None:
    """The same words wherever it is named; `tests/config/test_encoder_weights.py` has the rest."""
    config = workplace(configure=driven)
    assert load(config).period is not None
    add = ("--set", "state={name: prosail, add: [soil_moisture], encoder: default}")
    initial = ("--set", "forecast={name: neural, initial: {name: encoder}}")
    for command in ("hindcast", "embed"):
        status, _, err = releo(command, config, "--out", "run", "--quiet", *add, *initial)
        assert status == 2 and "made for another state" in " ".join(err.split()), err
        assert "releo-da train" in err
