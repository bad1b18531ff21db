"""Static and hybrid backgrounds of a land surface: the covariance that the dynamics return to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from releo_da.config.assemble import Assembly, assemble
from releo_da.config.document import Document
from releo_da.config.schemes import supplied
from releo_da.dynamics.mean_reverting import RESIDUAL_LENGTH
from releo_da.state.prior import correlation

CHANNELS = {"sentinel2a": ("B03", "B04", "B08", "B11")}
DOUBLE = torch.float64


def assembled(analyse: object, kernel: str = "ou") -> tuple[Assembly, Document]:
    forecast = {"name": "mean_reverting", "kernel": kernel}
    document = Document(Path("c.yaml"), {"forecast": forecast, "analyse": analyse})
    return assemble(document, CHANNELS), document


def test_the_climatology_is_the_stationary_covariance() -> None:
    """Ornstein-Uhlenbeck: the prior's correlations, unit variances, residuals beside them."""
    made, document = assembled([{"name": "variational", "background": "static"}])
    b = supplied(document, made.forecaster)["climatology"]
    names, knots = made.layout.names, torch.tensor(made.layout.knots, dtype=DOUBLE)
    near = torch.exp(-(knots[:, None] - knots).abs() / RESIDUAL_LENGTH)
    residual = 0.015**2 * (0.9 * near + 0.1 * torch.eye(len(knots), dtype=DOUBLE))
    torch.testing.assert_close(b, torch.block_diag(correlation(names), residual))


def test_a_smooth_process_has_velocities_in_units_of_its_rate() -> None:
    made, document = assembled([{"name": "variational", "background": "hybrid"}], "matern32")
    b = supplied(document, made.forecaster)["climatology"]
    v = len(made.layout.names)
    expected = correlation(made.layout.names)
    torch.testing.assert_close(b[:v, :v], expected)
    torch.testing.assert_close(b[v : 2 * v, v : 2 * v], expected)
    torch.testing.assert_close(b[:v, v : 2 * v], torch.zeros(v, v, dtype=DOUBLE))


def test_nothing_is_supplied_where_nothing_asks() -> None:
    made, document = assembled([{"name": "variational"}, {"name": "relaxed", "factor": 0.3}])
    assert supplied(document, made.forecaster) == {}


@pytest.mark.parametrize("kernel", ["ou", "matern32", "matern32+ou"])
def test_the_static_analysis_is_the_best_linear_estimate(kernel: str) -> None:
    """Mean of a linear problem whose ensemble has hardly any spread: B is the climatology's."""
    made, document = assembled([{"name": "variational", "background": "static"}], kernel)
    b = supplied(document, made.forecaster)["climatology"]
    size = made.layout.size
    generator = torch.Generator().manual_seed(0)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=DOUBLE)

    h, prior, y = randn(3, size), randn(1, 1, size) + 1e-6 * randn(1, 8, size), randn(1, 3)
    precision = torch.full((1, 3), 4.0, dtype=DOUBLE)
    found = made.model.analyse(
        prior, lambda x: x @ h.T, y, precision, lambda shape: randn(*shape), {}
    ).ensemble.mean(1)[0]
    mean = prior.mean(1)[0]
    gain = b @ h.T @ torch.linalg.inv(h @ b @ h.T + 0.25 * torch.eye(3, dtype=DOUBLE))
    torch.testing.assert_close(found, mean + gain @ (y[0] - h @ mean), rtol=1e-5, atol=1e-5)


def test_a_hybrid_4d_var_runs_in_a_hindcast(
    workplace: Callable[..., Path], releo: Callable[..., tuple]
) -> None:
    def configure(values: dict) -> None:
        scheme = {"name": "variational", "background": "hybrid", "iterations": 1, "inner": 4}
        values["analyse"] = [scheme, {"name": "window", "lag": 2}]
        values["period"] = ["2020-04-01", "2020-05-01"]
        values["state"] = {"name": "prosail", "fixed": {"n": 1.5, "hspot": 0.2, "cbrown": 0.0}}
        del values["smooth"], values["score"], values["products"]

    status, _, said = releo("hindcast", workplace(configure=configure), "--out", "run", "--quiet")
    assert status == 0, said
    scores = json.loads(Path("run/scores.json").read_text())
    assert scores["diverged"] == 0 and scores["background"]["B08"]["rmse"] < 0.15
