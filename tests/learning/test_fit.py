"""Fitting through the filter: known parameters come back, gaps are hidden as stated."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from releo_da.assimilation import adaptive, tuned
from releo_da.assimilation.etkf import etkf
from releo_da.dynamics.mean_reverting import centred
from releo_da.learning.anchors import anchored
from releo_da.learning.fit import Epoch, Gaps, at, fit, hidden
from releo_da.types import Acquisition, Analysis, Noise, Scheme, State

RATE, SIGMA, ERROR = 0.10, 1.0, 0.30
PIXELS, DATES, STEP = 48, 50, 3.0


class Process(nn.Module):
    """One Ornstein-Uhlenbeck latent of zero mean, seen directly."""

    def __init__(self, rate: float, sigma: float) -> None:
        super().__init__()
        self.log_rate = nn.Parameter(torch.tensor([math.log(rate)], dtype=torch.float64))
        self.log_sigma = nn.Parameter(torch.tensor([math.log(sigma)], dtype=torch.float64))

    def initial(self, time: float, pixels: Tensor, members: int, noise: Noise) -> State:
        drawn = self.log_sigma.exp() * centred(noise((len(pixels), members, 1)))
        return State(time, drawn, pixels, {})

    def forward(self, state: State, time: float, noise: Noise) -> State:
        days = time - state.time
        if days == 0.0:
            return state
        kept = torch.exp(-self.log_rate.exp() * days)
        entered = self.log_sigma.exp() * (1.0 - kept.square()).sqrt()
        # Centred: noise in the mean of a small ensemble would be fitted as observation error.
        ensemble = kept * state.ensemble + entered * centred(noise(state.ensemble.shape))
        return state._replace(time=time, ensemble=ensemble)


class Error(nn.Module):
    """A single error for all values."""

    def __init__(self, error: float) -> None:
        super().__init__()
        self.log_representativeness = nn.Parameter(
            torch.tensor([math.log(error)], dtype=torch.float64)
        )

    def forward(self, acquisition: Acquisition) -> Acquisition:
        whole = self.log_representativeness.exp().expand(acquisition.error.shape)
        return acquisition._replace(error=torch.where(acquisition.seen, whole, torch.inf))


def series() -> list[Acquisition]:
    generator = torch.Generator().manual_seed(11)

    def normal() -> Tensor:
        return torch.randn((PIXELS, 1), generator=generator, dtype=torch.float64)

    kept = math.exp(-RATE * STEP)
    x = SIGMA * normal()
    made = []
    for k in range(DATES):
        y = x + ERROR * normal()
        error = torch.full_like(y, 1.0)
        error[k % PIXELS] = math.inf
        y[k % PIXELS] = 0.0
        made.append(Acquisition(STEP * k, "s", y, error, torch.zeros(PIXELS, 3), ""))
        x = kept * x + SIGMA * math.sqrt(1.0 - kept**2) * normal()
    return made


def fitted(
    rate: float, sigma: float, error: float, epochs: int, seed: int = 0
) -> tuple[Process, Error, list[Epoch]]:
    process, noise = Process(rate, sigma), Error(error)
    found = list(
        fit(
            process,
            noise,
            lambda ensemble, acquisition: ensemble,
            etkf,
            series(),
            torch.arange(PIXELS),
            torch.Generator().manual_seed(seed),
            epochs,
            members=48,
            learning_rate=0.1,
            truncate=10,
        )
    )
    return process, noise, found


def test_a_known_process_comes_back() -> None:
    process, error, epochs = fitted(rate=0.05, sigma=0.6, error=0.6, epochs=40)
    assert [e.number for e in epochs] == list(range(40))
    assert epochs[-1].log_likelihood > epochs[0].log_likelihood + 50.0
    assert epochs[-1].observations == DATES * (PIXELS - 1)
    assert epochs[0].penalty == 0.0
    assert epochs[-1].penalty > 0.0
    assert float(process.log_rate.detach().exp()) == pytest.approx(RATE, rel=0.2)
    assert float(process.log_sigma.detach().exp()) == pytest.approx(SIGMA, rel=0.15)
    assert float(error.log_representativeness.detach().exp()) == pytest.approx(ERROR, rel=0.15)


def test_held_out_pixels_judge_and_teach_nothing() -> None:
    """A held-out pixel of wild values moves no parameter; the best judged are what stays."""
    apart = torch.arange(PIXELS) % 4 == 1
    wild = [a._replace(values=torch.where(apart[:, None], 9.0, a.values)) for a in series()]

    def run(acquisitions, held_out, epochs=6, patience=0, rate=0.3):
        process, error = Process(0.05, 0.6), Error(0.6)
        found = []
        starts = []
        for epoch in fit(
            process, error, lambda ensemble, acquisition: ensemble, etkf, acquisitions,
            torch.arange(len(acquisitions[0].values)), torch.Generator().manual_seed(1), epochs,
            members=16, learning_rate=rate, held_out=held_out, patience=patience,
        ):  # fmt: skip
            found.append(epoch)
            starts.append(float(process.log_rate.detach()))
        return process, found, starts

    one, judged, _ = run(series(), apart, epochs=2)
    other, wildly, _ = run(wild, apart, epochs=2)
    alone, plain, after = run(at(series(), ~apart), None, epochs=2)
    assert [e.log_likelihood for e in judged] == [e.log_likelihood for e in plain]
    assert [e.log_likelihood for e in judged] == [e.log_likelihood for e in wildly]
    assert judged[1].held_out > judged[0].held_out and plain[0].held_out is None
    assert wildly[0].held_out < judged[0].held_out
    assert judged[0].held_out_observations == int(sum(a.seen[apart].sum() for a in series()))
    assert torch.equal(one.log_rate, alone.log_rate)
    # With steps that are too long the likelihood falls again: the fit ends, the best stays.
    process, found, starts = run(series(), apart, epochs=30, patience=3, rate=1.5)
    assert len(found) < 30
    said = [e.held_out for e in found]
    best = max(range(len(said)), key=said.__getitem__)
    assert best <= len(found) - 3
    before = math.log(0.05) if best == 0 else starts[best - 1]
    assert float(process.log_rate.detach()) == pytest.approx(before, abs=1e-12)


def test_a_fit_repeats_bit_for_bit_and_depends_on_its_generator() -> None:
    one, two, other = (fitted(0.05, 0.6, 0.6, 2, seed) for seed in (3, 3, 4))
    for (name, a), b, c in zip(
        one[0].named_parameters(), two[0].parameters(), other[0].parameters(), strict=True
    ):
        assert torch.equal(a, b), name
        assert not torch.equal(a, c), name
    assert one[2] == two[2]


@pytest.mark.parametrize("scheme", [adaptive(etkf), tuned(etkf)], ids=["adaptive", "tuned"])
def test_what_a_scheme_remembers_acts_in_a_fit(scheme: Scheme) -> None:
    """Memory goes from analysis to analysis as in a run, and no gradient leaves its stretch."""
    met: list[dict[str, Tensor]] = []

    def spied(prior, observe, y, precision, noise, memory) -> Analysis:
        met.append(memory)
        return scheme(prior, observe, y, precision, noise, memory)

    process, error = Process(0.05, 0.6), Error(0.6)
    acquisitions, pixels = series()[:6], torch.arange(PIXELS)
    rng = torch.Generator().manual_seed(2)
    epochs = fit(
        process, error, lambda ensemble, acquisition: ensemble, spied, acquisitions, pixels, rng,
        epochs=1, members=8, truncate=2,
    )  # fmt: skip
    assert len(list(epochs)) == 1
    assert [len(memory) for memory in met] == [0, 1, 1, 1, 1, 1]
    (name,) = met[1]
    assert [memory[name].requires_grad for memory in met[1:]] == [True, False, True, False, True]
    assert not torch.equal(met[1][name], met[5][name])


def test_observations_are_hidden_as_often_as_stated() -> None:
    times, generator = [float(t) for t in range(0, 400, 5)], torch.Generator().manual_seed(0)
    pixels = 4000
    assert not hidden(times, pixels, Gaps(0.0, 0.0), generator).any()
    assert hidden(times, pixels, Gaps(1.0, 0.0), generator).all()
    alone = hidden(times, pixels, Gaps(0.2, 0.0), generator).double().mean()
    assert abs(float(alone) - 0.2) < 4.0 * math.sqrt(0.16 / (pixels * len(times)))
    gaps = hidden(times, pixels, Gaps(0.0, 0.6, (40.0, 60.0)), generator)
    share = float(gaps.any(0).double().mean())
    assert abs(share - 0.6) < 4.0 * math.sqrt(0.24 / pixels)
    assert runs(gaps) == {0, 1}  # one gap at most, without a hole
    whole = gaps[:, gaps[:-12].any(0) & ~gaps[-12:].any(0) & ~gaps[0]].sum(0)
    assert int(whole.min()) >= 40 / 5 - 1
    assert int(whole.max()) <= 60 / 5 + 1
    middle = hidden(times, pixels, Gaps(0.2, 0.6), generator)
    assert 0.2 < float(middle.double().mean()) < 0.4


def runs(mask: Tensor) -> set[int]:
    """How many stretches of True each column has."""
    padded = torch.cat([torch.zeros_like(mask[:1]), mask]).int()
    return set((padded.diff(dim=0) == 1).sum(0).tolist())


class Holder(nn.Module):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        for name in names:
            setattr(self, name, nn.Parameter(torch.zeros(3, dtype=torch.float64)))


def test_anchors_pull_back_by_their_scale() -> None:
    module = Holder(["season", "log_rate"])
    penalty = anchored([module], {"season": 0.5, "log_rate": 2.0})
    assert float(penalty().detach()) == 0.0
    with torch.no_grad():
        module.season += 1.0
        module.log_rate -= 2.0
    value = penalty()
    assert float(value.detach()) == pytest.approx(0.5 * (3 * 4.0 + 3 * 1.0))
    value.backward()
    torch.testing.assert_close(module.season.grad, torch.full((3,), 4.0, dtype=torch.float64))
    torch.testing.assert_close(module.log_rate.grad, torch.full((3,), -0.5, dtype=torch.float64))


def test_a_parameter_without_a_scale_is_a_defect() -> None:
    with pytest.raises(KeyError, match="unheard"):
        anchored([Holder(["unheard"])])
