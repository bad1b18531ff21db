r"""A recurrent network that forecasts an irregular series from itself, trained by likelihood.

With x_1 .. x_K what a pixel saw, as departures from a mean in units of their spread, at t_1 .. t_K,

    h_k = GRU(h_k-1, [x_k, log(1 + t_k - t_k-1)])                                        h [16]
    a, b, c = A tanh(B [h_k, x_k, log(1 + lead), e(lead)] + d) + E e(lead) + f
    x(t_k + lead) ~ N(sigmoid(a) x_k + b, s^2),      s = 0.02 + log(1 + exp(c))

with e(lead) = exp(-lead / tau) for some tau: any lead in days has an answer, and time enters as
gaps and leads alone. Before training A is 0 and the forecast is the last value, decaying over a
month. The network knows no calendar: with a year or two to learn from, the day of the year would be
a name for what all pixels did on that day.

For the same reason neighbouring pixels cannot judge each other: a network that knows the dates of a
year by heart forecasts them well. The time is cut into `PARTS`, and each in turn is held out: the
targets in it end the training of one network, whose targets are all others. The forecast is the
mixture of these networks, given by its mean and variance. Series are cut into rows of `STRETCH`
values; each step sees them from a random value on without a random share of the others, and
predicts from each value left some later ones within `FARTHEST` days. The loss is the mean of
-log N; weights are averaged over the last steps.

Cost: one pass of each network over the series, O(values), and one row of the last two layers per
forecast. Cho et al. 2014, doi:10.3115/v1/D14-1179 (the unit); Che et al. 2018,
doi:10.1038/s41598-018-24271-9 (gaps as input).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus

WIDTH = 16
STRETCH = 40
"""Values of a pixel that are learned from together."""
FARTHEST = 120.0
"""Longest lead that is learned (days)."""
TAUS = (4.0, 12.0, 36.0, 108.0)
"""Days after which a past value may have lost its meaning."""
LEAST = 0.02
"""Smallest standard deviation, in units of the spread."""
START = ((0.0, 0.0, 5.0, 0.0), (0.0, 0.0, 0.0, 0.0), (0.0, 0.0, -2.0, 0.0)), (-2.5, 0.0, 0.5)
"""E and f before training: the last value decays, and the spread grows, over a month."""

PARTS = 4
FEWEST = 100
"""Values from which on anything is learned."""
STEPS, BATCH, TARGETS = 800, 64, 4
JUDGING = 8
"""Targets of an origin by which a network is judged."""
RATE, DECAY, CLIP, AVERAGE = 5e-3, 1e-4, 1.0, 40
EVERY, PATIENCE = 25, 8
"""Steps between two looks at what is held out, and looks without a better one that end it."""
KEPT = 0.4
"""Smallest share of the values of a row that a step sees."""

Span = tuple[float, float]


class Events(NamedTuple):
    """What was seen, without the gaps: the values of each row in time order, then padding.

    Attributes:
        times: ``[row, event]`` days, inf where padded.
        values: ``[row, event]``, 0 where padded.
    """

    times: Tensor
    values: Tensor

    @property
    def there(self) -> Tensor:
        """Whether an event is one, ``[row, event]`` bool."""
        return self.times.isfinite()


class Recurrent(nn.Module):
    """One network; float32 while it is trained, float64 afterwards.

    Args:
        generator: of the first weights.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # what the layers draw themselves is replaced
            self.unit = nn.GRU(2, WIDTH, batch_first=True)
            self.first = nn.Linear(WIDTH + 2 + len(TAUS), WIDTH)
            self.last = nn.Linear(WIDTH, 3)
            self.direct = nn.Linear(len(TAUS), 3, bias=False)
        for parameter in (*self.unit.parameters(), *self.first.parameters()):
            nn.init.uniform_(parameter, -(WIDTH**-0.5), WIDTH**-0.5, generator=generator)
        nn.init.zeros_(self.last.weight)
        with torch.no_grad():
            self.direct.weight.copy_(torch.tensor(START[0]))
            self.last.bias.copy_(torch.tensor(START[1]))

    def states(self, events: Events) -> Tensor:
        """What is known after each event, ``[row, event, WIDTH + 1]``: h and the value itself."""
        days = torch.where(events.there, events.times, 0.0)
        gaps = torch.log1p((days[:, 1:] - days[:, :-1]).clamp_min(0.0))
        values = events.values.to(self.last.weight)
        inputs = torch.stack([values, pad(gaps, (1, 0)).to(values)], -1)
        return torch.cat([self.unit(inputs)[0], values[..., None]], -1)

    def forward(self, states: Tensor, leads: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation ``[...]`` at leads ``[...]`` (days) from `states`."""
        leads = leads.to(states)[..., None]
        decays = torch.exp(-leads / leads.new_tensor(TAUS))
        inside = torch.cat([states, torch.log1p(leads), decays], -1)
        out = self.last(torch.tanh(self.first(inside))) + self.direct(decays)
        a, b, c = out.unbind(-1)
        return torch.sigmoid(a) * states[..., -1] + b, LEAST + softplus(c)


def mixture(
    networks: Sequence[Recurrent], events: Events, row: Tensor, event: Tensor, leads: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation ``[forecast]`` of all networks together.

    Args:
        networks: one or more.
        events: what was seen.
        row: ``[forecast]`` positions.
        event: ``[forecast]`` positions of the last events used.
        leads: ``[forecast]`` days after them.
    """
    each = [one(one.states(events)[row, event], leads) for one in networks]
    means, sds = (torch.stack(list(t)) for t in zip(*each, strict=True))
    variance = sds.square().mean(0) + means.var(0, correction=0)
    return means.mean(0), variance.sqrt()


def stretches(events: Events) -> Events:
    """The events cut into rows of at most `STRETCH`, those of fewer than two left out."""
    short = -events.times.shape[1] % STRETCH
    times = pad(events.times, (0, short), value=math.inf).reshape(-1, STRETCH)
    values = pad(events.values, (0, short)).reshape(-1, STRETCH)
    some = times[:, 1].isfinite()
    return Events(times[some], values[some])


def thinned(events: Events, generator: torch.Generator) -> Events:
    """The events from a random one on, without a share of them that is itself random."""
    count = events.there.sum(1, keepdim=True)
    start = torch.rand(len(count), 1, generator=generator) * (count - 1)
    share = KEPT + (1.0 - KEPT) * torch.rand(len(count), 1, generator=generator)
    kept = events.there & (torch.arange(events.times.shape[1]) >= start.floor())
    kept &= torch.rand(events.times.shape, generator=generator) < share
    order = torch.argsort(~kept, dim=1, stable=True)
    times = torch.where(kept, events.times, torch.inf).gather(1, order)
    return Events(times, torch.where(kept, events.values, 0.0).gather(1, order))


def later(events: Events) -> Tensor:
    """How many later events lie within `FARTHEST` days of each, ``[row, event]``; 0 of padding."""
    last = torch.searchsorted(events.times, events.times + FARTHEST, right=True) - 1
    last = torch.minimum(last, events.there.sum(1, keepdim=True) - 1)
    number = last - torch.arange(events.times.shape[1])
    return torch.where(events.there, number.clamp_min(0), 0)


def targets(events: Events, unit: Tensor) -> Tensor:
    """Which later events are predicted: 1 the next one, 0 none, ``[row, event, target]`` int64.

    Args:
        events: of the rows.
        unit: 0 to 1, broadcastable to the result; squared, so that near targets are more.
    """
    number = later(events)[..., None]
    return torch.where(number > 0, 1 + (unit.square() * number).long(), 0)


def loss(
    network: Recurrent, events: Events, ahead: Tensor, held: Span, inside: bool
) -> Tensor | None:
    """Mean of -log N (without its constant) over `targets`; None where there are none.

    Args:
        network: that predicts.
        events: of some rows.
        ahead: from `targets`.
        held: first time (days) of the part that is held out, and the end of it.
        inside: whether targets are those in that part, or the others.
    """
    place = torch.arange(events.times.shape[1])[:, None] + ahead
    place = torch.where(ahead > 0, place, 0).flatten(1)
    times = events.times.gather(1, place).reshape(ahead.shape)
    wanted = (ahead > 0) & (((times >= held[0]) & (times < held[1])) == inside)
    row, event, _ = wanted.nonzero(as_tuple=True)
    if not len(row):
        return None
    target = events.values.gather(1, place).reshape(ahead.shape)[wanted]
    leads = times[wanted] - events.times[row, event]
    mean, sd = network(network.states(events)[row, event], leads)
    return (0.5 * ((target.to(mean) - mean) / sd).square() + sd.log()).mean()


def trained(events: Events, generator: torch.Generator, parts: int = PARTS) -> list[Recurrent]:
    """A network for each part of the time, held out from it.

    Args:
        events: of the training part; the order of rows is that of the random numbers.
        generator: the source of all randomness.
        parts: of the time.

    Returns:
        float64, without gradients; none where there are fewer than `FEWEST` values.
    """
    rows = stretches(events)
    if int(rows.there.sum()) < FEWEST:
        return []
    ends = torch.linspace(0.0, 1.0, parts + 1, dtype=torch.float64)
    first, last = rows.times.min(), rows.times[rows.there].max() + 1.0
    found = [
        _trained(rows, span, generator)
        for span in pairwise((first + (last - first) * ends).tolist())
    ]
    return [one.double().requires_grad_(False) for one in found if one is not None]


def _trained(rows: Events, held: Span, generator: torch.Generator) -> Recurrent | None:
    """The network that predicts a part of the time best, learned from the others."""
    network = Recurrent(generator)
    average, kept = copy.deepcopy(network), network
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    judging = targets(rows, (torch.arange(JUDGING) + 0.5) / JUDGING)
    best, waited = math.inf, 0
    for step in range(STEPS):
        if step % EVERY == 0:
            with torch.no_grad():
                judged = loss(average, rows, judging, held, inside=True)
            if judged is None:
                return None
            waited = 0 if float(judged) < best else waited + 1
            if not waited:
                best, kept = float(judged), copy.deepcopy(average)
            if waited == PATIENCE:
                break
        chosen = torch.randint(len(rows.times), (BATCH,), generator=generator)
        batch = thinned(Events(rows.times[chosen], rows.values[chosen]), generator)
        unit = torch.rand((*batch.times.shape, TARGETS), generator=generator)
        cost = loss(network, batch, targets(batch, unit), held, inside=False)
        if cost is None:
            continue
        optimiser.zero_grad()
        cost.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        with torch.no_grad():
            share = 1.0 / min(AVERAGE, 1 + step // 2)  # early on, over what there is
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), share)
    return kept
