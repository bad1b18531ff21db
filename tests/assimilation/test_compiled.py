"""The compiled loop against the plain update, and what happens where it cannot be had."""

from __future__ import annotations

import shutil
import warnings

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import compiled
from releo_da.assimilation.etkf import etkf, update

SHAPES = [(2, 1, 1), (5, 3, 17), (32, 10, 12), (33, 17, 15), (64, 4, 40)]
"""Members, channels, latents: below, at and above whole vectors."""


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory):
    """A cache folder of the test's own, and nothing remembered from another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    compiled.library.cache_clear()
    yield
    compiled.library.cache_clear()


needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc)")


def problem(members: int, channels: int, latents: int, pixels: int = 7) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(members)
    prior = 3.0 + torch.randn(pixels, members, latents, generator=generator)
    weights = torch.randn(latents, channels, generator=generator)
    predicted = torch.tanh(prior @ weights / latents**0.5)
    y = predicted[:, 0] + 0.1 * torch.randn(pixels, channels, generator=generator)
    precision = torch.full((pixels, channels), 50.0)
    precision[0] = 0.0
    precision[1, 0] = 0.0
    return prior, predicted, y, precision


@needs_compiler
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_the_plain_update(shape: tuple[int, int, int]) -> None:
    case = problem(*shape)
    exact = update(*(t.double() for t in case))
    assert (compiled.update(*case).double() - exact).abs().max() <= 1e-5
    assert (update(*case).double() - exact).abs().max() <= 1e-5
    double = compiled.update(*(t.double() for t in case))
    assert (double - exact).abs().max() <= 1e-12


@needs_compiler
def test_nothing_seen_is_the_background_bit_by_bit() -> None:
    prior, predicted, y, precision = problem(32, 10, 12)
    found = compiled.update(prior, predicted, y, precision)
    assert torch.equal(found[0], prior[0])
    assert not torch.equal(found[1], prior[1])


@needs_compiler
def test_a_pixel_does_not_depend_on_its_neighbours() -> None:
    case = problem(32, 10, 12)
    together = compiled.update(*case)
    alone = torch.cat([compiled.update(*(t[k : k + 1] for t in case)) for k in range(7)])
    assert torch.equal(together, alone)
    case[0][3] = torch.nan
    found = compiled.update(*case)
    assert not found[3].isfinite().any()
    assert torch.equal(found[4:], together[4:])


@needs_compiler
def test_what_rounding_spoils_keeps_its_background_as_in_the_plain_update() -> None:
    """Ten copies of one channel, 3,000 times as exact as the background is wide."""
    prior, predicted, y, _ = problem(32, 10, 12, pixels=100)
    predicted = predicted[..., :1].expand(-1, -1, 10).contiguous()
    precision = torch.full_like(y, 9e6 / float(predicted[..., 0].var(1).mean()))
    found, lost = compiled.transformed(prior, predicted, y, precision)
    assert 0 < lost.sum() < 100
    assert torch.equal(found[lost], prior[lost])
    assert found.isfinite().all()
    seen = etkf(prior, lambda x: predicted, y, precision, torch.randn, {}, kernel="compiled")
    assert ((seen.precision == 0).all(1) == lost).all()


@needs_compiler
def test_views_are_taken_as_they_are_seen() -> None:
    case = problem(8, 3, 4)
    wide = [torch.stack([t, t + 1.0], -1) for t in case]
    assert torch.equal(compiled.update(*(w[..., 0] for w in wide)), compiled.update(*case))


def test_an_empty_batch_and_one_member() -> None:
    case = problem(4, 2, 3)
    assert compiled.update(*(t[:0] for t in case)).shape == (0, 4, 3)
    with pytest.raises(ValueError, match="at least 2 members"):
        compiled.update(case[0][:, :1], case[1][:, :1], *case[2:])


def analysed(case: tuple[Tensor, ...]) -> Tensor:
    prior, predicted, y, precision = case
    found = etkf(prior, lambda x: predicted, y, precision, torch.randn, {}, kernel="compiled")
    return found.ensemble


@needs_compiler
def test_the_scheme_takes_it() -> None:
    case = problem(16, 5, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(analysed(case), compiled.update(*case))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda case: (case[0].clone().requires_grad_(), *case[1:]), "gradients"),
        (lambda case: tuple(t.to("meta") for t in case), "not on a CPU"),
    ],
    ids=["gradients", "device"],
)
def test_it_gives_way_and_says_why(spoil, reason: str) -> None:
    case = spoil(problem(16, 5, 6))
    with pytest.warns(UserWarning, match=reason):
        found = analysed(case)
    assert found.device == case[0].device
    if reason == "gradients":
        assert torch.equal(found, update(*case))


def test_without_a_compiler_it_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    case = problem(16, 5, 6)
    assert "no C compiler" in (compiled.unavailable(torch.device("cpu")) or "")
    with pytest.warns(UserWarning, match="no C compiler"):
        assert torch.equal(analysed(case), update(*case))
    with pytest.raises(ValueError, match="no C compiler"):
        compiled.update(*case)


@needs_compiler
def test_a_cache_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert str(tmp_path / "file") in (compiled.unavailable(torch.device("cpu")) or "")


def test_mixed_and_half_precision_are_not_taken() -> None:
    case = problem(16, 5, 6)
    for spoilt in ((case[0].double(), *case[1:]), tuple(t.half() for t in case)):
        assert "all of single or all of double" in (compiled.reason_against(*spoilt) or "")


def test_a_large_state_is_left_to_the_plain_update() -> None:
    case = problem(40, 300, 300, pixels=2)
    assert "too many" in (compiled.reason_against(*case) or "")


def test_another_device_has_none() -> None:
    assert "cuda" in (compiled.unavailable(torch.device("cuda")) or "")
