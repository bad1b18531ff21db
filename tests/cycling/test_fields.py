"""Fields: near pixels draw alike, each as it would alone, whatever runs beside them."""

import math

import pytest
import torch

from releo_da.assimilation import etkf, neighbours
from releo_da.cycling.cycle import cycle
from releo_da.cycling.draws import block_draws
from releo_da.cycling.fields import Correlated, correlated, covariance, mixer
from releo_da.cycling.placed import placed
from releo_da.types import Acquisition, InputError, State, System

from .linear import DOUBLE, randn

LIKE = torch.zeros(())
WIDTH = 16


def grid(ids):
    """Rows of 16 pixels of 10 m; ids of 600 and more have no place."""
    where = torch.stack([ids % WIDTH, ids // WIDTH], -1).double() * 10.0
    return where.masked_fill((ids >= 600)[:, None], math.nan)


def numbers(ids, wanted, stage="forecast", members=4, seed=3):
    ids = torch.as_tensor(ids)
    noise = block_draws(seed, ids, LIKE, mixer(grid, wanted))(17.5, stage)
    return noise((len(ids), members, 2))


@pytest.mark.parametrize("kernel", ["exponential", "matern32"])
def test_the_covariance_of_fields_is_that_of_the_kernel(kernel):
    wanted = Correlated(25.0, kernel, 0.8)
    ids = torch.tensor([0, 1, 2, 16, 100, 255])
    drawn = numbers(ids, wanted, members=20_000).double().flatten(1)
    apart = (grid(ids)[:, None] - grid(ids)).norm(dim=-1) / 25.0
    scaled = math.sqrt(3.0) * apart
    near = torch.exp(-apart) if kernel == "exponential" else (1 + scaled) * torch.exp(-scaled)
    expected = 0.8 * near + 0.2 * torch.eye(6, dtype=DOUBLE)
    error = ((1.0 + expected**2) / drawn.shape[1]).sqrt()
    assert ((drawn @ drawn.T / drawn.shape[1] - expected).abs() < 4.5 * error).all()


def test_a_pixel_draws_the_same_in_any_company():
    whole = numbers(range(700), Correlated(50.0))
    some = [699, 3, 256, 255, 400]
    assert torch.equal(numbers(some, Correlated(50.0)), whole[some])


def test_blocks_are_independent_and_so_is_what_has_no_place():
    drawn = numbers(range(768), Correlated(1e4), members=2000).double().flatten(1)
    pairs = torch.corrcoef(drawn[[0, 255, 256, 599, 600, 767]])
    limit = 4.5 / drawn.shape[1] ** 0.5
    assert pairs[0, 1] > 0.97 and pairs[2, 0].abs() < limit
    assert (pairs[4, :4].abs() < limit).all() and pairs[4, 5].abs() < limit


def test_pixels_of_one_place_are_one():
    drawn = block_draws(0, torch.arange(9), LIKE, mixer(lambda i: 0.0 * grid(i), Correlated(1.0)))(
        0.0, "initial"
    )((9, 4, 3))
    assert (drawn - drawn[0]).abs().max() < 1e-3


@pytest.mark.parametrize("stage", ["analysis", "noise sentinel2a 3", "cloud x", "verify analysis"])
def test_errors_of_observation_stay_a_pixels_own(stage):
    plain = block_draws(3, torch.arange(9), LIKE)(17.5, stage)((9, 4, 2))
    assert torch.equal(numbers(range(9), Correlated(50.0), stage), plain)


@pytest.mark.parametrize("stage", ["initial", "forecast", "forecast_5", "ahead", "truth", "window"])
def test_what_makes_states_is_a_field(stage):
    plain = block_draws(3, torch.arange(9), LIKE)(17.5, stage)((9, 4, 2))
    assert not torch.equal(numbers(range(9), Correlated(50.0), stage), plain)


@pytest.mark.parametrize("kept, made", [(3, 3), (2, 6)])
def test_blocks_that_are_kept_are_factored_once(kept, made):
    blocks = []

    def places(ids):
        blocks.append(int(ids[0]) // 256)
        return grid(ids)

    mix = mixer(places, Correlated(50.0), kept)
    drawn = torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
    first, again = ([mix(block, "forecast", drawn) for block in range(3)] for _ in range(2))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert len(blocks) == made


@pytest.mark.parametrize("wrong", [{"length": 0.0}, {"length": math.inf}, {"length": math.nan}])
def test_a_length_that_is_none_is_refused(wrong):
    with pytest.raises(InputError, match="length must be positive"):
        correlated(**wrong)
    with pytest.raises(InputError, match=r"share must lie in 0\.\.1"):
        correlated(10.0, share=1.5)


def joint(members, seed=1):
    """Five pixels in a row, two latents: fields of members, and their covariance C x B."""
    place = 10.0 * torch.arange(5, dtype=DOUBLE)[:, None]
    c = covariance(place, Correlated(20.0))
    b = torch.tensor([[1.0, 0.5], [0.5, 2.0]], dtype=DOUBLE)
    drawn = randn(5, members, 2, seed=seed)
    fields = torch.einsum("pq,qml->pml", torch.linalg.cholesky(c), drawn)
    return place, fields @ torch.linalg.cholesky(b).T, torch.kron(c, b)


H = torch.tensor([[1.0, -0.5]], dtype=DOUBLE)
PRECISION = torch.tensor([[4.0], [0.0], [0.0], [2.0], [0.0]], dtype=DOUBLE)  # three under cloud


def observe(x):
    return x @ H.T


def everyone(place, root):
    """Neighbours without any taper: every pixel listens to all."""
    wrapped = neighbours(lambda *a: etkf(*a, root=root), 1e6, most=5, taper="step")
    return lambda prior, y: wrapped(prior, observe, y, PRECISION, randn, {"place": place})


def test_without_taper_it_is_the_textbook_update_of_all_pixels_at_once():
    """In distribution: 10,000 members of a correlated prior, mean and spread of every pixel."""
    place, prior, covariance_of_all = joint(10_000)
    y = randn(5, 1, seed=2)
    found = everyone(place, "triangular")(prior, y).ensemble
    every = torch.kron(torch.eye(5, dtype=DOUBLE), H)[PRECISION[:, 0] > 0]
    r = torch.diag(1.0 / PRECISION[PRECISION > 0])
    gain = torch.linalg.solve(every @ covariance_of_all @ every.T + r, every @ covariance_of_all).T
    mean = (gain @ y[PRECISION > 0]).reshape(5, 2)
    spread = (covariance_of_all - gain @ every @ covariance_of_all).diagonal().reshape(5, 2)
    error = (covariance_of_all.diagonal().reshape(5, 2) / 10_000).sqrt()
    error = error * (1.0 + y.abs().max())  # the gain is sampled as well, and multiplies y
    assert ((found.mean(1) - mean).abs() < 4.0 * error).all()
    assert (found.var(1) / spread - 1.0).abs().max() < 4.0 * (4.0 / 10_000) ** 0.5
    assert spread[1, 0] < 0.85 and PRECISION[1] == 0.0  # a cloud is seen through


def test_without_taper_it_is_the_filter_of_the_joint_state_to_rounding():
    place, prior, _ = joint(12)
    y = randn(5, 1, seed=2)
    found = everyone(place, "symmetric")(prior, y).ensemble
    stacked = prior.movedim(0, 1).flatten(1)[None]  # one pixel with the latents of all

    def whole(x):
        return observe(x.unflatten(-1, (5, 2))).flatten(2)

    expected = etkf(stacked, whole, y.T, PRECISION.T, randn, {}, root="symmetric").ensemble
    torch.testing.assert_close(found, expected[0].unflatten(-1, (5, 2)).movedim(1, 0))


def system():
    """An autoregression, seen directly, whose pixels listen to each other."""

    def forecast(state, time, noise):
        kept = 0.9 ** (time - state.time)
        drawn = (1.0 - kept**2) ** 0.5 * noise(state.ensemble.shape)
        return state._replace(time=time, ensemble=kept * state.ensemble + drawn)

    def initial(time, pixels, members, noise):
        return State(time, noise((len(pixels), members, 2)), pixels, {})

    scheme = neighbours(lambda *a: etkf(*a, root="symmetric"), 12.0, most=5)
    return System(forecast, lambda x, acquisition: x, scheme), placed(initial, grid)


def last(ids):
    """The last analysis of three acquisitions over some pixels."""
    parts, initial = system()
    draws = block_draws(5, ids, LIKE, mixer(grid, Correlated(40.0)))
    state = initial(0.0, ids, 8, draws(0.0, "initial"))
    generator = torch.Generator().manual_seed(9)
    acquisitions = []
    for time in (1.0, 2.0, 5.0):
        y, cloud = torch.randn(512, 2, generator=generator), torch.rand(512, generator=generator)
        error = torch.full_like(y, 0.5).masked_fill((cloud < 0.5)[:, None], torch.inf)
        acquisitions.append(Acquisition(time, "", y[ids], error[ids], y.new_zeros(len(ids), 3)))
    *_, step = cycle(state, acquisitions, parts, draws, initial)
    return step.analysis.ensemble


def test_results_do_not_depend_on_how_many_blocks_run_together():
    together = last(torch.arange(512))
    apart = torch.cat([last(torch.arange(256)), last(torch.arange(256, 512))])
    assert torch.equal(together, apart)
