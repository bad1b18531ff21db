"""The background check: what it refuses, why, how often by mistake, and at what price."""

import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from releo_da.assimilation import etkf, relaxed, screen, screened
from releo_da.assimilation.linalg import weighted
from releo_da.assimilation.screening import (
    BRIGHT,
    CHANNEL,
    IN_A_ROW,
    KEPT,
    PIXEL,
    REASONS,
    SHARE,
    joint_score,
)
from releo_da.types import InputError

CHANNELS = 10


def perfect(pixels: int, members: int = 32, error: float = 0.5) -> tuple[Tensor, Tensor, Tensor]:
    """Predictions, observations and precision of a system whose statistics are all right."""
    rng = torch.Generator().manual_seed(1)
    h = torch.randn(12, CHANNELS, generator=rng) / 4
    predicted = torch.randn(pixels, members, 12, generator=rng) @ h
    y = torch.randn(pixels, 12, generator=rng) @ h
    y = y + error * torch.randn(pixels, CHANNELS, generator=rng)
    return predicted, y, torch.full_like(y, error**-2)


@pytest.mark.parametrize("error", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("members", [16, 64])
def test_joint_check_refuses_correct_data_as_often_as_asked(members: int, error: float) -> None:
    """From an ensemble that dominates S + R (Hotelling) to errors that do (chi-square)."""
    pixels = 8_000
    predicted, y, precision = perfect(pixels, members, error)
    for quantile, slack in ((0.5, 0.06), (0.99, 0.006)):
        code = screen(predicted, y, precision, threshold=1e3, pixel_quantile=quantile)
        refused = (code == PIXEL).all(-1).double().mean()
        assert abs(float(refused) - (1 - quantile)) < slack


def test_joint_score_is_standard_normal() -> None:
    predicted, y, precision = perfect(8_000)
    count = torch.full((8_000,), CHANNELS)
    score = joint_score(*weighted(predicted, y, precision), count)
    for probability in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert abs(float((score < norm.ppf(probability)).double().mean()) - probability) < 0.025


def test_default_keeps_what_is_right() -> None:
    code = screen(*perfect(8_000))
    assert (code != KEPT).double().mean() < 1e-3


def test_each_reason() -> None:
    predicted, y, precision = perfect(6, 64)
    y = predicted.mean(1)
    y[1, 4] += 30.0  # one faulty channel
    y[2, :6] += 30.0  # an opaque cloud
    y[3, :3] += 2.8 * (predicted.var(1) + 1.0 / precision).sqrt()[3, :3]  # a thin one
    y[4] += 2.5 * torch.tensor([1.0, -1.0] * 5)  # no channel is far off, together they are
    y[5] += 30.0
    precision[5] = 0.0  # never seen
    code = screen(predicted, y, precision, bright=(0, 1, 2))
    assert code[0].tolist() == [KEPT] * 10
    assert code[1].tolist() == [CHANNEL if c == 4 else KEPT for c in range(10)]
    assert (code[2, :6] == CHANNEL).all()
    assert set(code[2, 6:].tolist()) <= {BRIGHT, SHARE} and (code[2, 6:] != KEPT).all()
    assert (code[3] == BRIGHT).all()
    assert (code[4] == PIXEL).all()
    assert code[5].tolist() == [KEPT] * 10
    assert (screen(predicted, y, precision)[2, 6:] == SHARE).all()
    assert [REASONS[c] for c in (KEPT, CHANNEL, BRIGHT, SHARE, PIXEL)] == list(REASONS)


def test_bright_means_all_seen_ones_and_only_brighter() -> None:
    predicted, y, precision = perfect(4, 64)
    y = predicted.mean(1)
    step = 3.0 * (predicted.var(1) + 1.0 / precision).sqrt()
    y[0, :3] -= step[0, :3]  # darker: a shadow is not a cloud
    y[1, :2] += step[1, :2]  # one of the three agrees
    y[2, :2] += step[2, :2]  # one of the three was not seen
    precision[2, 2] = 0.0
    precision[3, :3] = 0.0  # none was seen
    options = {"pixel_quantile": None, "bright": (0, 1, 2)}
    refused = (screen(predicted, y, precision, **options) == BRIGHT).any(-1)
    assert refused.tolist() == [False, False, True, False]


@pytest.mark.parametrize(("faulty", "whole"), [(2, False), (3, True)])
def test_share_of_channels_that_may_fail(faulty: int, whole: bool) -> None:
    """Of ten channels two may fail by themselves (20 %), three take the pixel with them (30 %)."""
    predicted, y, precision = perfect(1, 64)
    y = predicted.mean(1)
    y[0, :faulty] += 30.0
    code = screen(predicted, y, precision, share=0.25)[0]
    assert (code[:faulty] == CHANNEL).all()
    assert (code[faulty:] == (SHARE if whole else KEPT)).all()


def test_threshold_is_in_standard_deviations_of_the_innovation() -> None:
    predicted, y, precision = perfect(200)
    deviation = (predicted.var(1) + 1.0 / precision).sqrt()
    for sign in (-1.0, 1.0):
        inside = predicted.mean(1) + sign * 2.999 * deviation
        outside = predicted.mean(1) + sign * 3.001 * deviation
        options = {"threshold": 3.0, "pixel_quantile": None, "share": 1.0}
        assert (screen(predicted, inside, precision, **options) == KEPT).all()
        assert (screen(predicted, outside, precision, **options) == CHANNEL).all()


def test_refused_values_do_not_act_and_are_seen_in_the_result() -> None:
    rng = torch.Generator().manual_seed(2)
    prior = torch.randn(3, 40, 5, generator=rng)
    h = torch.randn(5, 4, generator=rng)
    y, precision = (prior @ h).mean(1), torch.full((3, 4), 9.0)
    y[1, 2] += 100.0
    calls = []

    def observe(x: Tensor) -> Tensor:
        calls.append(x)
        return x @ h

    result = screened(relaxed(etkf, 0.3))(prior, observe, y, precision, torch.zeros, {})
    trusted = precision.clone()
    trusted[1, 2] = 0.0
    expected = relaxed(etkf, 0.3)(prior, lambda x: x @ h, y, trusted, torch.zeros, {})
    assert torch.equal(result.ensemble, expected.ensemble)
    assert torch.equal(result.precision, trusted)
    assert torch.equal(result.predicted, prior @ h)
    assert len(calls) == 1  # the operator is nine tenths of a run


def test_nothing_seen_and_no_channels() -> None:
    predicted, y, precision = perfect(5)
    assert (screen(predicted, y + 100.0, 0.0 * precision) == KEPT).all()
    assert screen(predicted[..., :0], y[:, :0], precision[:, :0]).shape == (5, 0)


@pytest.mark.parametrize("quantile", [0.0, 1.0, 99.9])
def test_impossible_quantile_is_refused_when_the_scheme_is_made(quantile: float) -> None:
    with pytest.raises(InputError, match="pixel_quantile must lie strictly between 0 and 1"):
        screened(etkf, pixel_quantile=quantile)


def test_patience_believes_what_lasts_and_no_cloud() -> None:
    """Pixel 0 changes for good, 1 has a cloud every other time, 2 is hidden, 3 is as expected."""
    predicted, y, precision = perfect(4)
    changed = y + 10.0 * torch.tensor([1.0, 0.0, 1.0, 0.0])[:, None]
    cloudy = changed + 10.0 * torch.tensor([0.0, 1.0, 0.0, 0.0])[:, None]
    precision[2] = 0.0
    scheme = screened(etkf, patience=2)
    memory: dict[str, Tensor] = {}
    used = []
    for values in (cloudy, changed, cloudy, changed):
        result = scheme(predicted, lambda e: e, values, precision, torch.randn, memory)
        used.append((result.precision > 0).any(-1).tolist())
        memory = result.memory
    assert used == [
        [False, False, False, True],
        [False, True, False, True],
        [True, False, False, True],
        [True, True, False, True],
    ]
    assert memory[IN_A_ROW].tolist() == [4, 0, 0, 0]
    # Believed values weigh as they do without screening.
    free = etkf(predicted, lambda e: e, changed, precision, torch.randn, {})
    assert torch.equal(result.ensemble[0], free.ensemble[0])
    never = screened(etkf)(predicted, lambda e: e, changed, precision, torch.randn, memory)
    assert not never.precision[0].any()
    # A requested date has no channels and changes nothing.
    nothing = values[:, :0]
    asked = scheme(predicted, lambda e: e[..., :0], nothing, nothing, torch.randn, memory)
    assert torch.equal(asked.memory[IN_A_ROW], memory[IN_A_ROW])
    with pytest.raises(InputError, match="patience"):
        screened(etkf, patience=-1)
