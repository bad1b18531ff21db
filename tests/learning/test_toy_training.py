"""A toy model's coefficients, learned while filtering."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from releo_da.assimilation.etkf import etkf
from releo_da.cli import main
from releo_da.config import toy, toy_training
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.config.toy_source import source_of
from releo_da.dynamics.lorenz96 import lorenz96
from releo_da.dynamics.quadratic_ring import (
    PRODUCTS,
    TERMS,
    QuadraticRing,
    lorenz96_coefficients,
    quadratic_ring,
)
from releo_da.learning.stretches import filter_likelihood
from releo_da.types import InputError, State

CONFIG = """
seed: 2
members: 20
source:
  twin:
    truth: {name: lorenz96, size: 8}
    initial: {mean: [2, 2, 2, 2, 2, 2, 2, 2], variance: 12.0}
    steps: 60
    error_variance: 0.5
    replicates: 2
forecast: {name: quadratic_ring, size: 8, noise_variance: 0.1}
score: {burn_in: 1.0}
train: {epochs: 4, members: 20, learning_rate: 0.05, truncate: 10}
"""


def released(*arguments: str) -> int:
    with pytest.raises(SystemExit) as done:
        main(list(arguments))
    return int(done.value.code or 0)


def known() -> torch.Tensor:
    named = lorenz96_coefficients()
    return torch.tensor([named.get(name, 0.0) for name in TERMS], dtype=torch.float64)


def test_the_ring_holds_lorenz96() -> None:
    assert len(TERMS) == 18
    assert TERMS[6:8] == ("x[i-2] x[i-2]", "x[i-2] x[i-1]")
    x = 3.0 * torch.randn(2, 3, 9, generator=torch.Generator().manual_seed(1)).double()
    ring = QuadraticRing(known(), 0.05)
    torch.testing.assert_close(ring(x), lorenz96(size=9).step(x))
    assert ring.named_coefficients()["x[i-1] x[i+1]"] == 1.0


def test_every_coefficient_belongs_to_its_term() -> None:
    x = torch.randn(7, generator=torch.Generator().manual_seed(2)).double()
    step = 1e-6
    for number, name in enumerate(TERMS):
        one = torch.zeros(18, dtype=torch.float64)
        one[number] = 1.0
        change = (QuadraticRing(one, step)(x) - x) / step
        places = [] if number == 0 else [number - 3] if number < 6 else list(PRODUCTS[number - 6])
        expected = torch.ones_like(x)
        for place in places:
            expected = expected * x.roll(-place)
        torch.testing.assert_close(change, expected, rtol=1e-4, atol=1e-4, msg=name)


def likelihood(forecaster: Any, truth: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    noise = lambda shape: torch.randn(tuple(shape), generator=generator).double()  # noqa: E731
    state = State(0.0, 2.0 + noise((2, 12, 8)), torch.arange(2))
    hide = torch.zeros(len(truth.acquisitions), 2, dtype=torch.bool)
    see = lambda ensemble, _: ensemble  # noqa: E731
    stretches = filter_likelihood(
        state, truth.acquisitions, hide, forecaster, see, lambda a: a, etkf, noise, 100, 0.0
    )
    return sum(stretches, torch.zeros(()))


def test_gradients_of_the_likelihood_are_those_of_finite_differences(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    document = load(path, ("source.twin.steps=6",))
    truth = toy.simulated(source_of(document), 2, torch.device("cpu"))
    forecaster = quadratic_ring(size=8, noise_variance=0.1)
    with torch.no_grad():
        forecaster.step.quadratic += 0.7 * known()[6:]
    likelihood(forecaster, truth).backward()
    for name, parameter in forecaster.named_parameters():
        assert parameter.grad is not None, name
        place, h = parameter.numel() // 2, 1e-5
        exact = float(parameter.grad.flatten()[place])
        told = []
        for sign in (1.0, -1.0):
            with torch.no_grad():
                parameter.view(-1)[place] += sign * h
                told.append(float(likelihood(forecaster, truth)))
                parameter.view(-1)[place] -= sign * h
        assert exact == pytest.approx((told[0] - told[1]) / (2 * h), rel=1e-4), name


def test_training_learns_and_a_twin_uses_what_was_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    assert released("train", str(config), "--out", str(tmp_path / "fit")) == 0
    printed = capsys.readouterr().out
    assert "x[i-1] x[i+1] " in printed and "log-likelihood per value of a truth" in printed
    found = json.loads((tmp_path / "fit" / "train.json").read_text("utf-8"))
    told = [epoch["log_likelihood"] for epoch in found["epochs"]]
    assert told[-1] > told[0]
    judged = found["held_out"]
    assert judged["before"] < judged["after"] < judged["truth"]
    rows = {row["name"]: row for row in found["coefficients"]}
    assert list(rows) == list(TERMS)
    report = (tmp_path / "fit" / "report.html").read_text("utf-8")
    assert f"<td>{judged['after']:.3f}</td>" in report and "x[i-1] x[i+1]" in report
    assert (tmp_path / "fit" / "figures" / "likelihood.png").is_file()
    assert all(row["start"] == 0.0 for row in rows.values())
    for name in ("x[i-2] x[i-1]", "x[i-1] x[i+1]"):
        row = rows[name]
        assert abs(row["fitted"] - row["truth"]) < 0.7
    weights = f"forecast.weights={tmp_path / 'fit' / 'weights.safetensors'}"
    rmse = {}
    for name, extra in {"before": (), "after": ("--set", weights)}.items():
        out = tmp_path / name
        assert released("twin", str(config), "--out", str(out), "--quiet", *extra) == 0
        scores = json.loads((out / "scores.json").read_text("utf-8"))
        rmse[name] = scores["background"]["state"]["rmse"]
    assert rmse["after"] < rmse["before"]
    wrong = ("--set", "forecast.noise_variance=0.0", "--set", weights)
    assert released("twin", str(config), "--out", str(tmp_path / "no"), *wrong) == 2


@pytest.mark.parametrize("option", ["pixels", "batch"])
def test_options_that_toy_models_have_not_are_refused(tmp_path: Path, option: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    document = load(path, (f"train.{option}=3",))
    with pytest.raises(InputError, match=f"train.{option}: a toy model has none"):
        toy_training.fitted(document, source_of(document), Options(quiet=True))


def test_a_model_that_diverges_ends_the_fit(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    document = load(path, ("train.learning_rate=50", "source.twin.steps=30"))
    with pytest.raises(InputError, match="no number any more in epoch 0.*lower learning_rate"):
        toy_training.fitted(document, source_of(document), Options(quiet=True))


@pytest.mark.slow
def test_quadratic_terms_of_lorenz96_are_recovered(project_root: Path) -> None:
    document = load(project_root / "experiments" / "lorenz96" / "learning.yaml")
    assert document.values["train"]["epochs"] <= 60
    learned = toy_training.fitted(document, source_of(document), Options(quiet=True))
    error = {row["name"]: abs(row["fitted"] - row["truth"]) for row in learned.coefficients}
    assert max(error[name] for name in TERMS[6:]) < 0.01
    assert max(error[name] for name in TERMS[1:6]) < 0.05
    assert error["1"] < 0.2
