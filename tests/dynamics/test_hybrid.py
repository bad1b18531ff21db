"""The hybrid forecaster: a season without weather, exact in time, in the right direction."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from releo_da.cycling.draws import block_draws
from releo_da.dynamics.forcing import DRIVERS, forcing, responses
from releo_da.dynamics.hybrid import EFFECTS, Hybrid
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.learning.anchors import anchored
from releo_da.state.layout import Layout
from releo_da.types import InputError, State, Weather

NAMES = ("cab", "cbrown", "lai", "soil_moisture")
KERNELS = {"matern32": (True, False), "ou": (False, False), "matern32+ou": (True, True)}
FIRST, DAYS = 18262, 3 * 365  # 2020-01-01
PIXELS = torch.tensor([3, 5, 9])


def weather(**changed: tuple[float, float]) -> Weather:
    """Three years at two sites; ``changed`` scales and shifts an element from day 500 on."""
    rng = np.random.default_rng(2)
    day = np.arange(DAYS)[:, None] + np.zeros(2)
    temperature = 10.0 - 9.0 * np.cos(2 * np.pi * day / 365.25) + rng.normal(0, 3, (DAYS, 2))
    rain = rng.gamma(0.3, 8.0, (DAYS, 2))
    values = {"temperature": temperature, "precipitation": rain}
    for name, (scale, shift) in changed.items():
        values[name][500:] = scale * values[name][500:] + shift
    stacked = torch.from_numpy(np.stack(list(values.values()), -1))
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    site = torch.tensor([[0, 1], [0, 1], [0, 1]])
    return Weather(FIRST, tuple(values), stacked, PIXELS, site, weight, torch.tensor([47.0, 47.0]))


def season(velocities: bool = True, rough: bool = False) -> MeanReverting:
    model = MeanReverting(Layout(NAMES, {}, velocities, (665.0, 842.0), rough))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator).double()
    return model


def draws(seed: int = 1):
    return block_draws(seed, PIXELS, torch.zeros((), dtype=torch.float64))


def still(shape) -> torch.Tensor:
    return torch.zeros(tuple(shape), dtype=torch.float64)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))
def test_without_strength_weather_or_days_it_is_the_season(kernel) -> None:
    plain = season(*kernel)
    off, none, late = Hybrid(plain, weather(), 0.0), Hybrid(plain), Hybrid(plain, weather())
    for start, others in {
        FIRST + 600.3: (off, none),
        FIRST + DAYS + 1.0: (off, none, late),
    }.items():
        first = plain.initial(start, PIXELS, 7, draws()(start, "initial"))
        wanted = plain(first, start + 12.7, draws()(start, "forecast"))
        for other in others:
            assert torch.equal(
                first.ensemble, other.initial(start, PIXELS, 7, draws()(start, "initial")).ensemble
            )
            found = other(first, start + 12.7, draws()(start, "forecast"))
            assert torch.equal(found.ensemble, wanted.ensemble)
            assert found.time == wanted.time
    for one, other in zip(off.transition(9.0), plain.transition(9.0), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=list(KERNELS))
def test_an_interval_may_be_split_anywhere(kernel) -> None:
    model = Hybrid(season(*kernel), weather(), 3.0)
    start = FIRST + 480.2
    state = model.initial(start, PIXELS, 5, draws()(start, "initial"))
    at_once = model(state, start + 40.9, still)
    for instant in (0.1, 0.8, 17.33, 40.5):
        parts = model(model(state, start + instant, still), start + 40.9, still)
        torch.testing.assert_close(parts.ensemble, at_once.ensemble, rtol=0, atol=1e-12)
    assert (at_once.ensemble - model.base(state, start + 40.9, still).ensemble).abs().max() > 0.01


def test_the_effect_is_the_integral_of_its_equation() -> None:
    """A matrix exponential in the place of the closed forms; velocity in units of the rate."""
    rate = 0.07
    a = torch.tensor([[0.0, rate], [-rate, -2.0 * rate]], dtype=torch.float64)
    days, start, end = (100, 104), 100.3, 103.6
    second = responses(torch.tensor([rate]).double(), days, start, end, True)
    first, nothing = responses(torch.tensor([rate]).double(), days, start, end, False)
    for row, day in enumerate(range(*days)):
        low, high = max(start, day), min(end, day + 1)
        for part in (0, 1):
            wanted = quad(
                lambda t, k=part: float(torch.linalg.matrix_exp(a * (end - t))[k, 0]), low, high
            )[0]
            assert float(second[part][row]) == pytest.approx(wanted, abs=1e-9)
        wanted = quad(lambda t: math.exp(-rate * (end - t)), low, high)[0]
        assert float(first[row]) == pytest.approx(wanted, abs=1e-9)
    assert not nothing.any()


def test_pixels_see_their_sites_and_members_alike() -> None:
    model = Hybrid(season(), weather(), 2.0)
    pushed = model.push(PIXELS, FIRST + 450.0, FIRST + 480.0)
    torch.testing.assert_close(pushed[2], (pushed[0] + pushed[1]) / 2)
    assert not torch.allclose(pushed[0], pushed[1])
    torch.testing.assert_close(model.push(PIXELS[1:2], FIRST + 450.0, FIRST + 480.0), pushed[1:2])
    with pytest.raises(InputError, match="not bound to pixel 4"):
        model.push(torch.tensor([4]), FIRST + 450.0, FIRST + 480.0)


def test_usual_weather_does_nothing() -> None:
    """Departures of a site have no mean, and a climate without noise leaves next to nothing."""
    found = forcing(weather())
    scale = found.departures.std(0)
    assert (found.departures.mean(0).abs() < 0.02 * scale + 1e-3).all()
    record = weather()
    day = torch.arange(DAYS).double()[:, None, None]
    values = torch.cat([12.0 - 4.0 * torch.cos(2 * math.pi * day / 365.2425), 3.0 + 0 * day], -1)
    quiet = forcing(record._replace(values=values.expand(DAYS, 2, 2)))
    assert (quiet.departures[..., 0].std(0) < 0.2 * scale[..., 0]).all()


def test_a_scenario_goes_the_way_its_weather_says() -> None:
    """From day 500, in mid-May: drought and heat against rain and a mild summer."""
    normal = weather()
    dry = weather(precipitation=(0.0, 0.0), temperature=(1.0, 6.0))._replace(normal=normal)
    wet = weather(precipitation=(2.0, 2.0), temperature=(1.0, -1.0))._replace(normal=normal)
    start, end = FIRST + 500.0, FIRST + 560.0
    plain = season()
    models = {
        "dry": Hybrid(plain, dry),
        "wet": Hybrid(plain, wet),
        "as it was": Hybrid(plain, normal),
    }
    moved = {name: model.push(PIXELS, start, end)[:, :4] for name, model in models.items()}
    lai, moisture = NAMES.index("lai"), NAMES.index("soil_moisture")
    for variable in (lai, moisture, NAMES.index("cab")):
        assert (moved["dry"][:, variable] < moved["wet"][:, variable] - 0.05).all()
    assert (moved["dry"][:, NAMES.index("cbrown")] > moved["wet"][:, NAMES.index("cbrown")]).all()
    before = {n: m.push(PIXELS, start - 60.0, start) for n, m in models.items()}
    torch.testing.assert_close(before["dry"], before["as it was"])
    decode = plain.layout.decode
    state = plain.initial(start, PIXELS, 16, draws()(start, "initial"))
    noise = draws()(end, "forecast")
    areas = {n: decode(m(state, end, noise).ensemble)["lai"] for n, m in models.items()}
    assert (areas["dry"].mean(1) < areas["wet"].mean(1)).all()
    assert all(((a >= 0.0) & (a <= 12.0)).all() for a in areas.values())


def test_the_likelihood_reaches_the_responses() -> None:
    model = Hybrid(season(), weather())
    state = State(FIRST + 450.0, torch.zeros(3, 4, model.layout.size).double(), PIXELS)
    model(state, FIRST + 470.4, still).ensemble.square().sum().backward()
    assert model.log_response.grad is not None
    assert (model.log_response.grad.abs() > 0.0).all()
    assert model.base.log_rate.grad is not None and model.base.log_rate.grad.abs().sum() > 0
    assert anchored([model])().item() == 0.0
    assert len(model.log_response) == len(EFFECTS)
    assert {driver for driver, _ in EFFECTS} == set(DRIVERS)


def test_weather_it_cannot_use_is_refused() -> None:
    record, plain = weather(), season()
    with pytest.raises(InputError, match="tell no climatology; give at least 180"):
        Hybrid(plain, record._replace(values=record.values[:100]))
    with pytest.raises(InputError, match="needs the temperature"):
        Hybrid(plain, record._replace(elements=("wind", "precipitation")))
    broken = record.values.clone()
    broken[7, 0, 0] = math.nan
    with pytest.raises(InputError, match="not finite"):
        Hybrid(plain, record._replace(values=broken))
