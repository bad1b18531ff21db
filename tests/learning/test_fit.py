"""Fitting through the filter: known parameters come back, gaps are hidden as stated."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from releo_da.assimilation import adaptive, tuned
from releo_da.assimilation.etkf import etkf
from releo_da.config.fit_report import ended, epochs_table
from releo_da.dynamics.mean_reverting import centred
from releo_da.learning.anchors import anchored
from releo_da.learning.checkpoints import fit_checkpoint, fit_restore
from releo_da.learning.fit import fit
from releo_da.learning.fitting import Best, Epoch, Fitting, Schedule, begun
from releo_da.learning.gaps import GAPS, NONE, Gaps, hidden
from releo_da.learning.stretches import Part, Problem, stretches
from releo_da.types import Acquisition, Analysis, InputError, Noise, Scheme, State

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


def problem(process: Process, error: Error, scheme: Scheme = etkf, members: int = 48) -> Problem:
    def start(time: float, pixels: Tensor, noise: Noise) -> State:
        return process.initial(time, pixels, members, noise)

    return Problem(process, start, lambda ensemble, acquisition: ensemble, scheme, error)


def whole() -> Part:
    return Part(series(), torch.arange(PIXELS))


def fitted(
    rate: float,
    sigma: float,
    error: float,
    epochs: int,
    seed: int = 0,
    gaps: Gaps = NONE,
) -> tuple[Process, Error, list[Epoch]]:
    process, noise = Process(rate, sigma), Error(error)
    fitting = begun({"process": process, "error": noise})
    schedule = Schedule(epochs, learning_rate=0.1, truncate=25, batch=16, gaps=gaps)
    found = list(fit(fitting, problem(process, noise), whole(), schedule, seed))
    assert fitting.number == epochs and fitting.best.values == {}
    return process, noise, found


def most_likely() -> Tensor:
    """Rate, deviation and error of the highest exact posterior, by a scalar Kalman filter."""
    part = series()
    y = torch.stack([a.values[:, 0] for a in part]).numpy()
    seen = torch.stack([a.seen[:, 0] for a in part]).numpy()
    starts, scales = np.log([0.05, 0.6, 0.6]), np.array([0.5, 0.3, 0.7])

    def cost(logs: np.ndarray) -> float:
        rate, sigma, error = np.exp(logs)
        kept, mean, variance, total = math.exp(-rate * STEP), 0.0, sigma**2, 0.0
        for values, clear in zip(y, seen, strict=True):
            whole = variance + error**2
            terms = np.log(whole) + (values - mean) ** 2 / whole
            total += 0.5 * terms[clear].sum()
            gain = np.where(clear, variance / whole, 0.0)
            mean, variance = mean + gain * (values - mean), (1.0 - gain) * variance
            mean, variance = kept * mean, kept**2 * variance + sigma**2 * (1.0 - kept**2)
        return total + 0.5 * (((logs - starts) / scales) ** 2).sum()

    return torch.tensor(np.exp(minimize(cost, starts, method="Nelder-Mead").x))


def test_a_fit_finds_the_parameters_that_are_most_likely() -> None:
    process, error, epochs = fitted(rate=0.05, sigma=0.6, error=0.6, epochs=16)
    assert [e.number for e in epochs] == list(range(16))
    assert epochs[-1].log_likelihood > epochs[0].log_likelihood + 50.0
    assert epochs[-1].observations == DATES * (PIXELS - 1)
    assert epochs[0].penalty == 0.0 < epochs[-1].penalty
    found = torch.cat([process.log_rate, process.log_sigma, error.log_representativeness])
    torch.testing.assert_close(found.detach().exp(), most_likely(), rtol=0.08, atol=0.0)


@pytest.mark.parametrize(("every", "steps"), [(0, 3), (1, 9), (2, 6)])
def test_steps_are_taken_after_batches_or_after_some_of_their_stretches(every, steps) -> None:
    """48 pixels in batches of at most 20, 50 dates in stretches of 20: 3 batches of 3."""
    process, error = Process(0.05, 0.6), Error(0.6)
    fitting = begun({"process": process, "error": error})
    assert list(fitting.parameters) == [
        "process.log_rate", "process.log_sigma", "error.log_representativeness"
    ]  # fmt: skip
    schedule = Schedule(2, truncate=20, stretches=every, batch=20)
    told = []
    for _ in fit(fitting, problem(process, error, members=8), whole(), schedule, 0):
        state = fitting.optimiser.state[process.log_rate]
        told.append((int(state["step"]), fitting.optimiser.param_groups[0]["lr"]))
    assert [count for count, _ in told] == [steps, 2 * steps]
    for count, rate in told:  # that of the last step that was taken
        share = (count - 1) / (2 * steps)
        assert rate == pytest.approx(0.025 * (1.0 + math.cos(math.pi * share)))


@pytest.mark.parametrize(("batch", "every", "steps"), [(0, 0, 1), (16, 0, 3), (16, 1, 15)])
def test_an_epoch_counts_the_penalty_once(batch: int, every: int, steps: int) -> None:
    """Where the likelihood is flat, each step sees the slope of the penalty per value."""
    process, error = Process(0.05, 0.6), Error(0.6)
    fitting = begun({"process": process, "error": error})
    with torch.no_grad():
        process.log_rate += 0.5
    met = []
    fitting.optimiser.register_step_pre_hook(lambda *_: met.append(float(process.log_rate.grad)))
    flat = problem(process, error, members=8)._replace(observe=lambda x, a: 0.0 * x)
    schedule = Schedule(1, 1e-9, truncate=10, stretches=every, batch=batch)
    list(fit(fitting, flat, whole(), schedule, 0))
    once = 0.5 / 0.5**2 / (DATES * (PIXELS - 1))  # scale 0.5, per value
    assert met == pytest.approx([once] * steps, rel=1e-6)


def test_what_is_held_out_judges_and_teaches_nothing() -> None:
    """A held-out pixel of wild values moves no parameter; the best judged are what stays."""
    apart = torch.arange(PIXELS) % 4 == 1
    wild = [a._replace(values=torch.where(apart[:, None], 9.0, a.values)) for a in series()]

    def run(acquisitions, judged, epochs=6, patience=0, rate=0.3):
        process, error = Process(0.05, 0.6), Error(0.6)
        fitting = begun({"process": process, "error": error})
        every = Part(acquisitions, torch.arange(PIXELS))
        judges = [every.at(apart)] if judged else []
        schedule = Schedule(epochs, rate, patience=patience)
        found, starts = [], []
        task = problem(process, error, members=16)
        for epoch in fit(fitting, task, every.at(~apart), schedule, 1, judges):
            found.append(epoch)
            starts.append(float(process.log_rate.detach()))
        return process, found, starts

    one, judged, _ = run(series(), True, epochs=2)
    other, wildly, _ = run(wild, True, epochs=2)
    alone, plain, after = run(series(), False, epochs=2)
    assert [e.log_likelihood for e in judged] == [e.log_likelihood for e in plain]
    assert [e.log_likelihood for e in judged] == [e.log_likelihood for e in wildly]
    assert judged[1].held_out > judged[0].held_out and plain[0].held_out is None
    assert wildly[0].held_out < judged[0].held_out
    assert judged[0].held_out_observations == int(sum(a.seen[apart].sum() for a in series()))
    assert torch.equal(one.log_rate, alone.log_rate)
    # With steps that are too long the likelihood falls again: the fit ends, the best stays.
    process, found, starts = run(series(), True, epochs=30, patience=3, rate=1.5)
    assert len(found) < 30
    said = [e.held_out for e in found]
    best = max(range(len(said)), key=said.__getitem__)
    assert best <= len(found) - 3
    before = math.log(0.05) if best == 0 else starts[best - 1]
    assert float(process.log_rate.detach()) == pytest.approx(before, abs=1e-12)


def test_a_fit_repeats_bit_for_bit_and_depends_on_its_seed() -> None:
    """With gaps, which are drawn for every batch."""
    one, two, other = (fitted(0.05, 0.6, 0.6, 2, seed, GAPS) for seed in (3, 3, 4))
    for (name, a), b, c in zip(
        one[0].named_parameters(), two[0].parameters(), other[0].parameters(), strict=True
    ):
        assert torch.equal(a, b), name
        assert not torch.equal(a, c), name
    assert one[2] == two[2]
    assert one[2][0].log_likelihood < fitted(0.05, 0.6, 0.6, 1, 3)[2][0].log_likelihood


def test_a_fit_goes_on_from_what_it_holds() -> None:
    """Two epochs and then two more, with what `Fitting` holds copied in between, are four."""
    process, error, epochs = fitted(0.05, 0.6, 0.6, 4)
    begun_again, noise = Process(0.05, 0.6), Error(0.6)
    fitting = begun({"process": begun_again, "error": noise})
    task, schedule = problem(begun_again, noise), Schedule(4, 0.1, 25, 0, 16, NONE)
    first = fit(fitting, task, whole(), schedule, 0)
    told = [next(first), next(first)]
    kept = copy.deepcopy(fitting.optimiser.state_dict())
    values = {name: p.detach().clone() for name, p in fitting.parameters.items()}
    third, silence = Process(0.05, 0.6), Error(0.6)
    later = begun({"process": third, "error": silence})
    later.optimiser.load_state_dict(kept)
    later.number = 2
    with torch.no_grad():
        for name, value in values.items():
            later.parameters[name].copy_(value)
    told += list(fit(later, problem(third, silence), whole(), schedule, 0))
    assert told == epochs
    assert torch.equal(third.log_rate, process.log_rate)


def test_the_physics_learns_first_and_rests_after() -> None:
    """The rate stands for it, the deviation for what is beside it; R learns all the time."""
    schedule = Schedule(4, 0.1, 25, 0, 24, NONE, physics_first=2)
    assert [schedule.rate(e) for e in (0.0, 1.0, 2.0, 3.0)] == pytest.approx([0.1, 0.05] * 2)

    def fitting_of() -> tuple[Process, Error, Fitting]:
        process, noise = Process(0.05, 0.6), Error(0.6)
        parts = [process.log_rate], [process.log_sigma]
        return process, noise, begun({"process": process, "error": noise}, parts=parts)

    process, noise, fitting = fitting_of()
    places, kept, epochs = [[p.item() for p in fitting.parameters.values()]], {}, []
    for epoch in fit(fitting, problem(process, noise, members=8), whole(), schedule, 0):
        epochs.append(epoch)
        places.append([p.item() for p in fitting.parameters.values()])
        kept[fitting.number] = fit_checkpoint(fitting, epochs)
    moved = [[a != b for a, b in zip(*pair, strict=True)] for pair in pairwise(places)]
    assert moved == 2 * [[True, False, True]] + 2 * [[False, True, True]]
    for number in (1, 3):  # a checkpoint of either part is gone on with
        again, silence, later = fitting_of()
        told = fit_restore(later, *kept[number])
        task = problem(again, silence, members=8)
        assert told + list(fit(later, task, whole(), schedule, 0)) == epochs
        assert [p.item() for p in later.parameters.values()] == places[-1]


def test_patience_waits_for_the_second_part() -> None:
    process, noise = Process(0.05, 0.6), Error(0.6)
    parts = [process.log_rate], [process.log_sigma]
    fitting = begun({"process": process, "error": noise}, parts=parts)
    schedule = Schedule(9, 1e-300, batch=24, patience=2, physics_first=3)  # never any better
    task = problem(process, noise, members=4)
    assert len(list(fit(fitting, task, whole(), schedule, 0, [whole()]))) == 5


@pytest.mark.parametrize("judges", [[], [whole()]], ids=["alone", "judged"])
def test_a_model_that_diverges_is_told(judges: list[Part]) -> None:
    process, error = Process(0.05, 0.6), Error(0.6)
    fitting = begun({"process": process, "error": error})
    wild = problem(process, error, members=8)._replace(observe=lambda x, a: x / 0.0)
    with pytest.raises(
        InputError, match="any more (in epoch 0|of values that).*lower learning_rate"
    ):
        list(fit(fitting, wild, whole(), Schedule(2), 0, judges))


@pytest.mark.parametrize("epochs", [1, 4])
def test_the_best_judged_parameters_stay_where_a_fit_diverges(epochs: int) -> None:
    """Where the last step goes astray, and where steps would follow."""
    process, error = Process(0.05, 0.6), Error(0.6)
    fitting = begun({"process": process, "error": error})
    apart = torch.arange(PIXELS) % 4 == 1
    steps = Schedule(epochs, 500.0, truncate=DATES)
    task = problem(process, error, members=8)
    found = list(fit(fitting, task, whole().at(~apart), steps, 1, [whole().at(apart)]))
    assert len(found) == fitting.number == 1 and math.isfinite(found[0].held_out)
    assert fitting.best.judgement == found[0].held_out
    assert float(process.log_rate.detach().exp()) == pytest.approx(0.05)
    said = ended(found, fitting.best, replace(steps, patience=3))
    assert ("as the model diverged in the next" in said) == (epochs > 1)
    assert "judged no epoch better than the start" in said and "before any training" in said
    worse = None if fitting.last is None else f"{fitting.last / found[0].held_out_observations:.3f}"
    waited = [found[0]] * 5  # no better one is waited for before the second part
    start = Best(0.0, 0)
    said_of_first = ended(waited, start, Schedule(8, patience=3, physics_first=4))
    assert "diverged" in said_of_first and "none was better" in ended(
        waited, start, Schedule(8, patience=3)
    )
    cells = dict(epochs_table(found, fitting.best, fitting.last).rows)
    assert cells["0"][2].text == "0.000" and ("1" in cells) == (worse is not None)
    assert worse is None or cells["1"][1].text == worse


def test_a_gradient_that_is_no_number_is_told() -> None:
    """The likelihood is one: its last step would leave no number behind, and nobody would say."""
    process, error = Process(0.05, 0.6), Error(0.6)
    fitting = begun({"process": process, "error": error})
    wild = problem(process, error, members=8)._replace(observe=lambda x, a: x + (0.0 * x).sqrt())
    with pytest.raises(InputError, match="no number any more in epoch 0"):
        list(fit(fitting, wild, whole(), Schedule(1, truncate=DATES), 0))


@pytest.mark.parametrize("scheme", [adaptive(etkf), tuned(etkf)], ids=["adaptive", "tuned"])
def test_what_a_scheme_remembers_acts_in_a_fit(scheme: Scheme) -> None:
    """Memory goes from analysis to analysis as in a run, and no gradient leaves its stretch."""
    met: list[dict[str, Tensor]] = []

    def spied(prior, observe, y, precision, noise, memory) -> Analysis:
        met.append(memory)
        return scheme(prior, observe, y, precision, noise, memory)

    task = problem(Process(0.05, 0.6), Error(0.6), spied, members=8)
    rng = torch.Generator().manual_seed(2)
    part = Part(series()[:6], torch.arange(PIXELS))
    for stretch in stretches(task, part, NONE, 2, rng):
        stretch.backward()
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
