"""Who is told that errors of channels go together, and where they cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from releo_da.config.assemble import assemble
from releo_da.config.correlated_errors import correlation_of
from releo_da.config.document import Document
from releo_da.config.sections import section
from releo_da.config.train_section import train
from releo_da.config.training import problem_of
from releo_da.runs.acquire import noisy
from releo_da.types import Acquisition, InputError

CHANNELS = {"sentinel2a": ("B03", "B04", "B08")}
TOGETHER = {"name": "whitened", "correlation": 0.9}
STATE = {
    "name": "prosail",
    "fixed": {"n": 1.5, "car": 8.0, "cbrown": 0.0, "cm": 0.005, "hspot": 0.2, "ala": 55.0},
}


def document(*layers: Any) -> Document:
    values = {"state": STATE, "forecast": {"name": "mean_reverting"}, "analyse": list(layers)}
    return Document(Path("a.yaml"), values)


def correlations(draws: Tensor) -> Tensor:
    return torch.corrcoef(draws.flatten(0, -2).T)


def test_all_that_use_r_are_told() -> None:
    given = document("etkf", TOGETHER)
    assembly = assemble(given, CHANNELS)
    wanted = torch.full((3, 3), 0.9).fill_diagonal_(1.0)
    source = torch.Generator().manual_seed(1)

    def noise(shape: Any) -> Tensor:
        return torch.randn(tuple(shape), generator=source)

    drawn = assembly.model.errors(noise)((40, 500, 3))
    torch.testing.assert_close(correlations(drawn), wanted, atol=0.01, rtol=0.0)
    problem = problem_of(given, assembly, section(given, "train", train), CHANNELS)
    assert problem.correlation == 0.9
    plain = assemble(document("etkf"), CHANNELS)
    assert plain.model.errors(noise) is noise


def test_the_noise_of_a_twin_with_the_full_r_goes_together() -> None:
    model = assemble(document("etkf", TOGETHER), CHANNELS).model
    source = torch.Generator().manual_seed(2)
    clean, pixels = torch.full((20_000, 3), 0.2), torch.arange(20_000)
    empty = Acquisition(19500.0, "sentinel2a", clean, clean, torch.full((20_000, 3), 30.0))
    deliver = noisy(model, 0.0)
    draws: Any = lambda time, label: lambda shape: torch.randn(tuple(shape), generator=source)  # noqa: E731
    seen = deliver(empty, clean, pixels, draws, "a")
    wanted = torch.full((3, 3), 0.9).fill_diagonal_(1.0)
    torch.testing.assert_close(correlations(seen.values - clean), wanted, atol=0.02, rtol=0.0)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ((TOGETHER, {"name": "neighbours", "radius": 60.0}), "write it after 'neighbours'"),
        ((TOGETHER, {"name": "window", "lag": 3}), "different dates to go together"),
        ((TOGETHER, {"name": "window", "lag": 3, "shift": 2}), "give the window shift: 1"),
    ],
)
def test_errors_of_other_pixels_and_dates_do_not_go_together(layers: Any, told: str) -> None:
    with pytest.raises(InputError, match=f"a.yaml: analyse: 'whitened' inside.*{told}"):
        correlation_of(document("etkf", *layers))


def test_what_stays_within_an_acquisition_is_taken() -> None:
    beside = {"name": "neighbours", "radius": 60.0}
    for layers in (
        (beside, TOGETHER),
        (TOGETHER, {"name": "window", "lag": 3, "shift": 1}),
        (TOGETHER, "screened", {"name": "window"}),
    ):
        assert correlation_of(document("etkf", *layers)) == 0.9
    none = {"name": "whitened", "correlation": 0.0}
    assert correlation_of(document("etkf", none, beside)) == 0.0


@pytest.mark.parametrize(
    "channels",
    [
        {"sentinel2a": ("B03", "B04", "B08")},
        {"sentinel2a": ("B04", "B08"), "landsat8": ("B4", "B5")},
    ],
)
def test_a_matrix_is_for_sensors_with_its_channels(channels: dict[str, tuple[str, ...]]) -> None:
    matrix = {"name": "whitened", "correlation": [[1.0, 0.5], [0.5, 1.0]]}
    with pytest.raises(InputError, match=r"a\.yaml: analyse: whitened\.correlation is a matrix"):
        assemble(document("etkf", matrix), channels)
    same = {"sentinel2a": ("B04", "B08"), "sentinel2b": ("B04", "B08")}
    assert assemble(document("etkf", matrix), same).model.coloured is not None
