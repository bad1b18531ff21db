"""The learned forecaster: its base without what is learned, bounded and exact in time with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from releo_da.assimilation.etkf import etkf
from releo_da.dynamics.calendar_steps import steps
from releo_da.dynamics.growth_water import day_length
from releo_da.dynamics.hybrid import Hybrid
from releo_da.dynamics.mean_reverting import YEAR, MeanReverting
from releo_da.dynamics.network import FARTHEST, LOG_NOISIEST
from releo_da.dynamics.neural import Neural
from releo_da.dynamics.surroundings import Surroundings
from releo_da.dynamics.unheard import UNHEARD, unheard
from releo_da.learning.anchors import anchored
from releo_da.learning.stretches import filter_likelihood
from releo_da.state.layout import Layout
from releo_da.types import Acquisition, Noise, State, Weather
from tests.dynamics.test_hybrid import FIRST, KERNELS, NAMES, PIXELS, draws, still, weather

START = FIRST + 480.2


def base(kernel: tuple[bool, bool], record: Weather | None = None) -> Hybrid:
    own = ("lai",) if kernel[1] else ()
    layout = Layout(NAMES, {}, kernel[0], (665.0, 842.0), kernel[1], own, len(own))
    model = MeanReverting(layout)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator).double()
    return Hybrid(model, record, 3.0)


def taught(model: Neural, size: float = 0.1) -> Neural:
    """The same with weights as a fit might leave them."""
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        last = model.network.last
        last += size / model.network.looseness * torch.randn(last.shape, generator=generator)
    return model


def spread(forward: Callable[[State, Callable[..., Tensor]], State], state: State) -> Tensor:
    """Covariance that noise gives to one member, from the response to each of its numbers."""
    sizes: list[int] = []

    def counted(shape: Sequence[int]) -> Tensor:
        sizes.append(shape[-1])
        return torch.zeros(tuple(shape), dtype=torch.float64)

    centre = forward(state, counted).ensemble[0, 0]
    pieces = iter(torch.eye(sum(sizes), dtype=torch.float64).split(sizes, 1))
    many = state._replace(
        ensemble=state.ensemble.expand(sum(sizes), 1, -1),
        pixels=state.pixels.expand(sum(sizes)),
    )
    found = forward(many, lambda shape: next(pieces)[:, None]).ensemble[:, 0] - centre
    return found.T @ found


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))
def test_untaught_it_has_the_moments_of_its_base_over_any_interval(kernel) -> None:
    inside = base(kernel)
    model = Neural(inside, memory=2, step=3.0)
    seen = model.layout.seen
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 1, model.layout.size, generator=generator, dtype=torch.float64)
    state = State(START, x, PIXELS[:1])
    for end, stops in ((0.4, ()), (2.1, ()), (17.9, ()), (17.9, (0.3, 4.8, 9.0)), (400.0, ())):

        def through(state: State, noise, end=end, stops=stops) -> State:
            for stop in (*stops, end):
                state = model(state, START + stop, noise)
            return state

        with torch.no_grad():
            f, q = inside.transition(end)
            wanted = inside.mean(START + end) + f @ (x[0, 0, :seen] - inside.mean(START))
            found = through(state, still).ensemble[0, 0, :seen]
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-11)
            covariance = spread(through, state)[:seen, :seen]
        torch.testing.assert_close(covariance, q, rtol=1e-7, atol=1e-9)


def test_before_any_observation_it_is_its_base() -> None:
    inside = base((True, False))
    model = Neural(inside, slow=("timing",), memory=2)
    with torch.no_grad():
        model.slow_log_scale.fill_(-40.0)
        wanted = inside.initial(START, PIXELS, 9, draws()(START, "initial")).ensemble
        found = model.initial(START, PIXELS, 9, draws()(START, "initial")).ensemble
    torch.testing.assert_close(found[..., : model.layout.seen], wanted, rtol=0, atol=1e-12)
    assert found.shape[-1] == model.layout.size == model.layout.seen + 3
    for part in model.transition(12.0):
        assert part.shape == (model.layout.size, model.layout.size)


def test_a_late_place_is_the_usual_one_some_days_later() -> None:
    """About the season as it was tau days ago, the base's equation holds."""
    inside = base((False, False))
    model = Neural(inside, slow=("vigour", "timing"), slow_years=2.0, memory=0)
    with torch.no_grad():
        model.slow_log_scale[1] = math.log(10.0)
        state = model.initial(START, PIXELS, 5, draws()(START, "initial"))
        found = model(state, START + 31.4, still).ensemble
        kept = math.exp(-31.4 / (2.0 * 365.2425))
        early, late = 10.0 * state.ensemble[..., -1], 10.0 * kept * state.ensemble[..., -1]
        f, _ = inside.transition(31.4)
        for pixel in range(3):
            for member in range(5):
                before = inside.mean(START + float(early[pixel, member]))
                after = inside.mean(START + 31.4 + float(late[pixel, member]))
                x = state.ensemble[pixel, member, : model.layout.seen]
                wanted = after + f @ (x - before)
                place = found[pixel, member, : model.layout.seen]
                torch.testing.assert_close(place, wanted, rtol=0, atol=1e-11)


def test_a_date_in_between_matters_by_the_step_and_only_by_what_is_learned() -> None:
    state = Neural(base((True, False))).initial(START, PIXELS, 6, draws()(START, "initial"))
    moved = {}
    for step in (4.0, 2.0, 1.0, 0.5):
        model = taught(Neural(base((True, False)), step=step))
        with torch.no_grad():
            whole = model(state, START + 20.0, still).ensemble
            halves = model(model(state, START + 7.3, still), START + 20.0, still).ensemble
        moved[step] = float((whole - halves).abs().max())
    assert moved[4.0] > 1e-4
    assert moved[0.5] < 0.3 * moved[4.0]
    fine = taught(Neural(base((True, False)), step=0.02))
    errors = {}
    for step in (4.0, 2.0, 1.0):
        model = taught(Neural(base((True, False)), step=step))
        with torch.no_grad():
            exact = fine(state, START + 20.0, still).ensemble
            errors[step] = float((model(state, START + 20.0, still).ensemble - exact).abs().max())
    assert errors[2.0] < 0.65 * errors[4.0] and errors[1.0] < 0.65 * errors[2.0]


def test_steps_end_on_the_same_days_whatever_is_asked() -> None:
    assert list(steps(10.5, 21.0, 5.0)) == [(10.5, 15.0), (15.0, 20.0), (20.0, 21.0)]
    assert list(steps(15.0, 20.0, 5.0)) == [(15.0, 20.0)]
    assert list(steps(11.0, 12.0, 5.0)) == [(11.0, 12.0)]
    ends = [end for _, end in steps(17897.123, 17898.0, 0.1)]
    assert len(ends) == 9 and all(b - a > 0.05 for a, b in zip(ends, ends[1:], strict=False))


def test_several_times_are_each_what_it_would_be_alone() -> None:
    """Whole steps are shared, and the noise from its beginning, which all forecasts have alike."""
    model = taught(Neural(base((True, False), weather()), weather(), ("timing",), memory=1))
    state = model.initial(START, PIXELS, 5, draws()(START, "initial"))
    start = math.floor(START / 5.0) * 5.0  # a day of the calendar is a start and an end as well
    for first in (START, start):
        begun = state._replace(time=first)
        times = [first, first + 0.3, first + 3.0, start + 10.0, first + 21.7, first + 21.7]
        asked = 0

        noise = draws()(first, "forecast")

        def counted(shape: Sequence[int], noise: Noise = noise) -> Tensor:
            nonlocal asked
            asked += 1
            return noise(shape)

        with torch.no_grad():
            found = model.along(begun, times, counted)
            for time, one in zip(times, found, strict=True):
                alone = model(begun, time, draws()(first, "forecast"))
                assert one.time == alone.time == time
                torch.testing.assert_close(one.ensemble, alone.ensemble, rtol=0, atol=1e-12)
        assert torch.equal(found[0].ensemble, begun.ensemble)
        assert asked == len(list(steps(first, times[-1], 5.0)))
    for unordered in ([START + 20.0, START + 10.0], [START - 1.0]):
        with pytest.raises(ValueError, match="back in time"):
            model.along(state, unordered, draws()(START, "forecast"))


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))
def test_a_constant_drift_moves_where_the_process_settles(kernel) -> None:
    model = Neural(base(kernel), memory=0)
    lai = NAMES.index("lai")
    with torch.no_grad():
        model.network.last[-1, lai] = 1.5 / model.network.looseness
        first = model.initial(START, PIXELS, 4, draws()(START, "initial"))
        settled = model(first, START + 900.0, still).ensemble
        moved = 3.0 * math.tanh(0.5) * float(model.base.base.log_sigma[lai].exp())
        wanted = model.mean(START + 900.0)[: len(NAMES)].clone()
        wanted[lai] += moved
    torch.testing.assert_close(settled[0, 0, : len(NAMES)], wanted, rtol=0, atol=1e-6)


def test_a_constant_factor_of_the_noise_scales_its_variance() -> None:
    model = Neural(base((True, True)), memory=1)
    v, lai = len(NAMES), NAMES.index("lai")
    with torch.no_grad():
        model.network.last[-1, v + lai] = 0.5 / model.network.looseness
        state = State(START, torch.zeros(1, 1, model.layout.size).double(), PIXELS[:1])
        found = spread(lambda s, noise: model(s, START + 9.0, noise), state)
        _, q = model.base.transition(9.0)
    factors = torch.ones(model.layout.seen, dtype=torch.float64)
    factors[[lai, v + lai, 2 * v + lai]] = 3.0 ** math.tanh(0.5 / LOG_NOISIEST)
    seen = model.layout.seen
    wanted = factors[:, None] * q * factors
    torch.testing.assert_close(found[:seen, :seen], wanted, rtol=1e-6, atol=1e-8)


def test_no_member_runs_away() -> None:
    model = taught(Neural(base((True, False)), weather(), slow=("timing", "vigour")), 50.0)
    state = model.initial(START, PIXELS, 8, draws()(START, "initial"))
    state = state._replace(ensemble=30.0 * state.ensemble)
    with torch.no_grad():
        found = model(state, START + 300.0, draws()(START, "forecast")).ensemble
        f, g, m = model.network(1e6 * torch.ones(2, 3, model.network.inputs).double())
    assert float(f.abs().max()) <= FARTHEST and float(g.abs().max()) <= LOG_NOISIEST
    assert float(m.abs().max()) <= FARTHEST
    assert torch.isfinite(found).all()
    with torch.no_grad():
        x = found[..., : len(NAMES)] - model.mean(START + 300.0)[: len(NAMES)]
        sigma = model.base.base.log_sigma.exp()
    assert float((x / sigma).abs().max()) < FARTHEST + 3.0 * 5.0


def test_pixels_and_members_are_alike_and_seeds_repeat() -> None:
    model = taught(Neural(base((True, True), weather()), weather(), slow=("timing", "vigour")))
    noise = draws()(START, "forecast")
    state = model.initial(START, PIXELS, 6, draws()(START, "initial"))
    with torch.no_grad():
        found = model(state, START + 22.0, noise).ensemble
        again = model(state, START + 22.0, draws()(START, "forecast")).ensemble
        other = model(state, START + 22.0, draws(2)(START, "forecast")).ensemble
        order = torch.tensor([4, 0, 5, 1, 3, 2])
        permuted = model(
            state._replace(ensemble=state.ensemble[:, order]), START + 22.0, still
        ).ensemble
        straight = model(state, START + 22.0, still).ensemble
        one = model(State(START, state.ensemble[1:2], PIXELS[1:2]), START + 22.0, still).ensemble
    assert torch.equal(found, again) and not torch.allclose(found, other)
    torch.testing.assert_close(permuted, straight[:, order], rtol=0, atol=1e-12)
    torch.testing.assert_close(one, straight[1:2], rtol=0, atol=1e-12)


def test_weather_moves_it_as_its_base_and_by_the_vigour_of_the_place() -> None:
    inside = base((True, False), weather())
    model = Neural(inside, weather(), slow=("vigour",), memory=0)
    state = model.initial(START, PIXELS, 4, draws()(START, "initial"))
    seen = model.layout.seen
    plain = state._replace(ensemble=state.ensemble[..., :seen])
    with torch.no_grad():
        model.slow_log_scale.fill_(-40.0)
        found = model(state, START + 40.9, still).ensemble[..., :seen]
        wanted = inside(plain, START + 40.9, still).ensemble
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-11)
        end = math.floor(START / 5.0) * 5.0 + 5.0  # one step: the vigour of its start holds
        still_air = inside.base(plain, end, still).ensemble
        pushed = inside(plain, end, still).ensemble - still_air
        model.slow_log_scale.fill_(math.log(0.5))
        found = model(state, end, still).ensemble[..., :seen] - still_air
    factor = torch.exp(0.5 * state.ensemble[..., -1:])
    torch.testing.assert_close(found, factor * pushed, rtol=0, atol=1e-11)


def test_a_pixel_that_hears_no_weather_goes_as_without() -> None:
    """Neither the network nor the physics below is moved there, and the other pixels are."""
    record = weather()._replace(latitude=None)  # days are as long as without
    taught_by = taught(Neural(base((False, False), record), record, memory=1))
    silent = taught(Neural(base((False, False)), memory=1))
    for model, without in ((taught_by, silent), (taught_by.base, silent.base)):
        with torch.no_grad():
            state = model.initial(START, PIXELS, 5, draws()(START, "initial"))
            assert unheard(state, 0.0, draws()(START, "x")) is state
            mark = torch.zeros(len(PIXELS)).double()
            mark[1] = 1.0
            marked = state._replace(memory={UNHEARD: mark})
            found = model(marked, START + 30.0, draws()(START, "forecast"))
            under = model(state, START + 30.0, draws()(START, "forecast")).ensemble
            dry = without(state, START + 30.0, draws()(START, "forecast")).ensemble
        assert torch.equal(found.memory[UNHEARD], mark)
        torch.testing.assert_close(found.ensemble[1], dry[1], rtol=0, atol=1e-12)
        torch.testing.assert_close(found.ensemble[0], under[0], rtol=0, atol=1e-12)
        assert not torch.allclose(under[1], dry[1], atol=1e-3)


def test_weather_is_hidden_as_often_as_stated() -> None:
    state = State(START, torch.zeros(9000, 1, 1).double(), torch.arange(9000))
    share = unheard(state, 0.3, torch.randn).memory[UNHEARD].mean()
    assert float(share) == pytest.approx(0.3, abs=4.0 * math.sqrt(0.21 / 9000))


def test_the_network_hears_of_season_daylight_and_unusual_weather() -> None:
    around = Surroundings(weather())
    unusual = torch.tensor([[0.1, 0.0, -0.2]] * 3).double()
    found = around(PIXELS, START, unusual)
    assert found.shape == (3, around.size)
    torch.testing.assert_close(found[:, -3:], 10.0 * unusual)
    # Allen et al. (1998), example 9: 20 degrees south on 3 September, day 246 of the year.
    hours = day_length(torch.tensor([-20.0]).double(), torch.tensor([245.0]).double())
    assert float(hours) == pytest.approx(11.7, abs=0.05)
    assert 4.0 * float(found[0, 4]) == pytest.approx(2.0, abs=0.1)  # 14 hours in late April at 47 N
    model = Neural(base((True, False), weather()), weather())
    dry = model.base.unusual(PIXELS, START, START + 5.0)
    assert dry.shape == (3, 3) and float(dry.abs().max()) > 0.0
    assert not model.base.unusual(PIXELS, FIRST - 50.0, FIRST - 45.0).any()


def test_without_a_calendar_it_says_the_same_on_any_date() -> None:
    """What it adds depends on the state alone; the season of the base stays as it is."""
    inside = base((True, False))
    state = inside.initial(START, PIXELS, 5, draws()(START, "initial"))
    start = math.floor(START / 5.0) * 5.0  # one step, all of it at what the network first says
    added = {}
    for calendar in (True, False):
        model = taught(Neural(inside, memory=0, calendar=calendar))
        for later in (0.0, 180.0):
            at = state._replace(time=start + later)
            with torch.no_grad():
                found = model(at, start + later + 5.0, still).ensemble
                added[calendar, later] = found - inside(at, start + later + 5.0, still).ensemble
    torch.testing.assert_close(added[False, 180.0], added[False, 0.0], rtol=0, atol=1e-12)
    assert float((added[True, 180.0] - added[True, 0.0]).abs().max()) > 1e-2
    assert float(added[False, 0.0].abs().max()) > 1e-2


def test_without_a_calendar_weather_is_heard_and_latitude_is_nothing() -> None:
    around = Surroundings(weather(), calendar=False)
    unusual = torch.tensor([[0.1, 0.0, -0.2]] * 3).double()
    torch.testing.assert_close(around(PIXELS, START, unusual), 10.0 * unusual)
    around.met.copy_(torch.tensor([0.0, 5.0, 75.0]))
    assert list(around.unmet(90.0, torch.full((3,), 60.0))) == ["gap"]


def test_it_hears_the_season_of_the_place_whatever_the_day() -> None:
    """Waves in their deviations, turned back: what it hears of a place moves only as that fades."""
    model = Neural(base((True, True)), memory=0)
    layout = model.layout
    first, last = layout.dynamic - layout.seasonal, layout.dynamic
    assert layout.seasonal == 3
    state = State(START, torch.zeros(3, 1, layout.size).double(), PIXELS)
    sizes = model.base.base.own_log_sigma.exp()[[0, 1, 1], 0]
    unusual = torch.zeros(3, 3).double()
    with torch.no_grad():
        state.ensemble[:, 0, first:last] = torch.eye(3).double() * sizes
        heard = model._inputs(state.ensemble, PIXELS, unusual, START, START + 5.0)
        assert heard.shape[-1] == model.network.inputs
        places = slice(-model.around.size - layout.seasonal, -model.around.size)
        turn = 2.0 * math.pi * START / YEAR
        wave = torch.tensor([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        wanted = torch.block_diag(torch.ones(1, 1), wave).double()
        torch.testing.assert_close(heard[:, 0, places], wanted, rtol=0, atol=1e-6)
        later, days = model(state, START + 77.7, still), 77.7
        after = model._inputs(later.ensemble, PIXELS, unusual, later.time, later.time + 5.0)
    kept = math.exp(-days * float(model.base.base.own_rate))
    torch.testing.assert_close(after[:, 0, places], kept * heard[:, 0, places])


def test_what_it_hears_of_a_place_moves_it() -> None:
    """Two places alike but for their season, under a drift that hears nothing else."""
    model = Neural(base((False, True)), memory=0)
    lai = NAMES.index("lai")
    place = model.network.inputs - model.around.size - model.layout.seasonal
    state = State(START, torch.zeros(2, 1, model.layout.size).double(), PIXELS[:2])
    with torch.no_grad():
        model.network.last[place, lai] = 1.0 / model.network.looseness
        state.ensemble[1, 0, model.layout.dynamic - model.layout.seasonal] = 1.0
        moved = model(state, START + 30.0, still).ensemble
        alone = model.base(state, START + 30.0, still).ensemble
    added = (moved - alone)[:, 0]
    assert float(added[1, lai]) > 0.01
    added[1, lai] = 0.0
    torch.testing.assert_close(added, torch.zeros_like(added), rtol=0, atol=1e-12)


def test_beyond_what_was_met_it_says_so_and_keeps_to_it() -> None:
    around = Surroundings(weather())
    unusual = torch.zeros(3, 3).double()
    assert around.unmet(400.0) == {}
    around.meet(75.0)
    assert around.unmet(75.0) == {}
    assert "more than the 75 of the fit" in around.unmet(90.0)["gap"]
    north = Surroundings(weather()._replace(latitude=torch.tensor([47.0, 63.0])))
    north.load_state_dict(around.state_dict())
    told = north.unmet(10.0)["latitude"]
    assert "1 pixels" in told or "2 pixels" in told
    alone = Surroundings()
    alone.met.copy_(torch.tensor([43.0, 47.0, 75.0]))
    far = torch.tensor([60.0, 45.0, torch.nan])
    assert "1 pixels" in alone.unmet(10.0, far)["latitude"]
    assert around.unmet(10.0, far) == {}  # the weather brings latitudes of its own
    alone.meet(75.0)  # a fit that knows none
    assert alone.unmet(10.0, far) == {}
    torch.testing.assert_close(north(PIXELS, START, unusual), around(PIXELS, START, unusual))
    unknown = Surroundings(weather()._replace(latitude=torch.tensor([math.nan, 45.0])))
    nowhere = Surroundings()
    torch.testing.assert_close(unknown(PIXELS, START, unusual), nowhere(PIXELS, START, unusual))


def test_the_likelihood_reaches_every_parameter_through_the_filter() -> None:
    model = taught(
        Neural(base((True, True), weather()), weather(), ("timing", "vigour"), memory=2, hidden=6)
    )
    generator = torch.Generator().manual_seed(3)
    acquisitions = [
        Acquisition(
            START + 7.0 * k,
            "s",
            torch.randn(3, 6, generator=generator).double(),
            torch.full((3, 6), 0.5).double(),
            torch.zeros(3, 3),
        )
        for k in range(4)
    ]

    def seen(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        coordinates = model.layout.coordinates(ensemble)
        return torch.cat([coordinates, model.layout.residual(ensemble)], -1)

    state = model.initial(START - 5.0, PIXELS, 24, draws()(START, "initial"))
    total = filter_likelihood(
        state, acquisitions, torch.zeros(4, 3, dtype=torch.bool), model, seen, lambda a: a, etkf,
        draws()(START, "fit"), 10,
    )  # fmt: skip
    sum(total).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert float(parameter.grad.abs().max()) > 0.0, name
    assert anchored([model])().item() == 0.0


def test_single_precision_stays_near_double() -> None:
    model = taught(Neural(base((True, False)), slow=("timing",)))
    state = model.initial(START, PIXELS, 6, draws()(START, "initial"))
    with torch.no_grad():
        exact = model(state, START + 60.0, still).ensemble
        single = state._replace(ensemble=state.ensemble.float())
        rough = model(single, START + 60.0, lambda shape: torch.zeros(tuple(shape))).ensemble
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough.double(), exact, rtol=0, atol=2e-5)


def test_slow_latents_and_memory_are_seen_by_no_sensor() -> None:
    plain = Layout(("lai", "cab"), {}, True, (665.0,))
    longer = replace(plain, slow=("timing",), memory=2)
    ensemble = torch.randn(2, 3, longer.size, dtype=torch.float64)
    assert longer.size == plain.size + 3 and longer.seen == plain.size
    assert torch.equal(longer.residual(ensemble), plain.residual(ensemble[..., : plain.size]))
    for name, values in longer.decode(ensemble).items():
        assert torch.equal(values, plain.decode(ensemble[..., : plain.size])[name])
