"""The recurrent baseline beside the exact filter of a process whose law is known."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

import releo_da.diagnostics.baselines.gru as gru_module
import releo_da.diagnostics.baselines.recurrent as recurrent_module
from releo_da.config.sections import Beside
from releo_da.diagnostics.baselines import ON_REQUEST, predict, predict_between, rivals, series
from releo_da.diagnostics.baselines.gru import GRU, Fitted, between, fit, forecast
from releo_da.diagnostics.baselines.kalman import Process
from releo_da.diagnostics.baselines.kalman import between as kalman_between
from releo_da.diagnostics.baselines.recurrent import Events, later, stretches, targets, thinned
from releo_da.diagnostics.baselines.series import Prediction, Series
from releo_da.diagnostics.baselines.series import thinned as taken
from releo_da.diagnostics.leads import pairs_of

LAW = Process(1, np.array([0.5]), 0.04, 25.0, 0.002)
BINS = ((0.0, 10.0), (10.0, 30.0), (30.0, 60.0))


def drawn(seed: int, pixels: int) -> Series:
    """A year of the process about 0.5, every six days, half of the dates seen."""
    rng = np.random.default_rng(seed)
    times = 17000.0 + np.arange(0.0, 365.0, 6.0)
    apart = np.abs(times[:, None] - times) / LAW.tau
    root = np.linalg.cholesky(LAW.variance * np.exp(-apart) + LAW.noise * np.eye(len(times)))
    values = 0.5 + rng.standard_normal((pixels, len(times))) @ root.T
    return series(times, values, rng.random(values.shape) < 0.5)


@pytest.fixture(scope="module")
def learned() -> Fitted:
    with pytest.MonkeyPatch.context() as quick:
        quick.setattr(recurrent_module, "STEPS", 150)
        return fit(drawn(0, 150), parts=2)


def test_it_comes_near_the_exact_filter_and_beats_climatology(learned: Fitted) -> None:
    scored = drawn(1, 150)
    pairs = pairs_of(scored.times, scored.seen, BINS)
    observed = scored.values[pairs.pixel, pairs.target]

    def loss(told: Prediction) -> np.ndarray:
        return 0.5 * ((observed - told.mean) / told.sd) ** 2 + np.log(told.sd)

    told = between(learned, scored, pairs)
    exact = loss(kalman_between(LAW, scored, pairs))
    flat = np.full(len(observed), 0.5)
    climatology = loss(Prediction(flat, np.full(len(flat), np.sqrt(LAW.variance + LAW.noise))))
    ours = loss(told)
    for number in range(len(BINS)):
        here = pairs.bin == number
        assert ours[here].mean() < exact[here].mean() + 0.03
    near = pairs.bin < 2
    gained = climatology[near].mean() - ours[near].mean()
    assert gained > 0.85 * (climatology[near].mean() - exact[near].mean())
    assert 0.87 < np.mean(np.abs(observed - told.mean) < 1.645 * told.sd) < 0.93


def test_nothing_after_the_origin_is_read(learned: Fitted) -> None:
    """Other values and other clear dates after the origin leave every bit of the forecast."""
    scored = drawn(2, 4)
    late = scored.times > scored.times[30]
    spoiled = scored._replace(
        values=np.where(late, 9.0, scored.values), seen=scored.seen | late | np.isnan(scored.times)
    )
    pairs = pairs_of(scored.times, scored.seen, BINS, origins=scored.seen & ~late)
    for a, b in zip(between(learned, scored, pairs), between(learned, spoiled, pairs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    early = scored.times < scored.times[30] + 12
    for a, b in zip(forecast(learned, scored, 12.0), forecast(learned, spoiled, 12.0), strict=True):
        np.testing.assert_allclose(a[:, early], b[:, early], atol=1e-12)


def test_a_horizon_is_the_pair_of_the_latest_date_that_is_old_enough(learned: Fitted) -> None:
    scored = drawn(3, 3)
    mean, sd = forecast(learned, scored, 15.0)
    pairs = pairs_of(scored.times, scored.seen, [(0.0, 60.0)])
    told = between(learned, scored, pairs)
    lead = scored.times[pairs.target] - scored.times[pairs.origin]
    last = np.r_[pairs.pixel[1:] != pairs.pixel[:-1], True]
    for k in range(0, len(lead), 7):
        p, i, j = (int(column[k]) for column in pairs[:3])
        used = scored.seen[p] & (scored.times <= scored.times[j] - 15)
        if lead[k] >= 15 and used[i] and not used[i + 1 :].any():
            assert mean[p, j] == pytest.approx(told.mean[k], abs=1e-12)
            assert sd[p, j] == pytest.approx(told.sd[k], abs=1e-12)
    assert last.sum() == 3
    first = scored.times < scored.times[0] + 15  # nothing is old enough: the season and its spread
    np.testing.assert_array_equal(sd[:, first], learned.scale)


def test_pixels_do_not_know_each_other_nor_their_order(
    learned: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored, order = drawn(4, 7), np.random.default_rng(0).permutation(7)
    moved = scored._replace(values=scored.values[order], seen=scored.seen[order])
    whole = forecast(learned, scored, 10.0)
    monkeypatch.setattr(gru_module, "CHUNK", 3)
    for a, b in zip(whole, forecast(learned, moved, 10.0), strict=True):
        np.testing.assert_allclose(a[order], b, atol=1e-12)


def test_training_knows_its_seed_and_no_order_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrent_module, "STEPS", 5)
    monkeypatch.setattr(recurrent_module, "EVERY", 2)
    # Of the nine pixels five are read: the same ones.
    monkeypatch.setattr(gru_module, "thinned", lambda whole: taken(whole, 5))
    training, order = drawn(5, 9), np.random.default_rng(1).permutation(9)
    moved = training._replace(values=training.values[order], seen=training.seen[order])
    before = torch.random.get_rng_state()
    once, again, other = fit(training), fit(moved), fit(training, seed=1)
    assert torch.equal(before, torch.random.get_rng_state())
    assert len(once.networks) == 4

    def weights(found: Fitted) -> torch.Tensor:
        return torch.cat([p.flatten() for one in found.networks for p in one.parameters()])

    assert torch.equal(weights(once), weights(again))
    assert not torch.equal(weights(once), weights(other))


def test_too_little_to_train_on_leaves_the_season() -> None:
    short = series(np.arange(5.0), np.array([[0.1, np.nan, 0.3, np.nan, np.nan]]))
    found = fit(short)
    assert found.networks == []
    pairs = pairs_of(short.times, short.seen, [(0.0, 10.0)])
    mean, sd = predict_between(GRU, found, short, short, pairs, [(0.0, 10.0)])[0].prediction
    assert np.isfinite(mean).all() and np.all(sd == found.scale)
    assert predict(GRU, found, short, short, 1.0).prediction.mean.shape == (1, 5)


def test_targets_are_later_events_within_reach() -> None:
    never = torch.inf
    events = Events(
        torch.tensor([[0.0, 10.0, 100.0, 135.0, never], [3.0, 4.0, never, never, never]]),
        torch.tensor([[1.0, 2.0, 3.0, 4.0, 0.0], [5.0, 6.0, 0.0, 0.0, 0.0]]),
    )
    assert later(events).tolist() == [[2, 1, 1, 0, 0], [1, 0, 0, 0, 0]]
    assert targets(events, torch.tensor([0.0, 0.99])).tolist()[0][:2] == [[1, 2], [1, 1]]
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        kept = thinned(events, generator)
        for row in range(2):
            there = kept.there[row]
            assert there.tolist() == sorted(there.tolist(), reverse=True)  # padding is at the end
            values = kept.values[row][there].tolist()
            assert values == [v for v in events.values[row].tolist() if v in values and v]
    assert len(stretches(events).times) == 2


def test_it_is_asked_for_by_name() -> None:
    assert GRU in rivals(["gru"]) and GRU not in rivals()
    assert {b.name for b in ON_REQUEST} == set(get_args(Beside))
