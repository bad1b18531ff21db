"""The encoder: exact invariances, the prior of nothing, finite gradients, sensors it never met."""

from __future__ import annotations

import random

import pytest
import torch

from releo_da.representation.encoder import Encoded, Encoder, in_blocks
from releo_da.representation.features import YEAR
from releo_da.representation.posterior import prior_of
from releo_da.representation.statics import SCALES, statics_of
from releo_da.representation.tokens import Bands, no_tokens, tokens_of
from releo_da.types import Acquisition, InputError

from .series import BANDS, NAMES, asked, drawn, series


def equal(one: Encoded, other: Encoded) -> bool:
    """To the last bit."""
    pairs = zip(
        (*one.joint, one.embedding, one.evidence),
        (*other.joint, other.embedding, other.evidence),
        strict=True,
    )
    return all(torch.equal(a, b) for a, b in pairs)


def hidden(acquisition: Acquisition, channels: list[int]) -> Acquisition:
    error = acquisition.error.clone()
    error[:, channels] = torch.inf
    return acquisition._replace(error=error)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return drawn()


@pytest.fixture(scope="module")
def given() -> list[Acquisition]:
    return series()


@pytest.fixture(scope="module")
def encoded(encoder: Encoder, given: list[Acquisition]) -> Encoded:
    return in_blocks(encoder, tokens_of(given, BANDS), asked())


def test_what_is_drawn_says_something(encoded: Encoded) -> None:
    """The laws below are not those of a constant."""
    assert encoded.posterior.mean.std(0).min() > 0.05
    assert encoded.embedding.std(0).min() > 0.01
    assert 0 < encoded.evidence.min() < encoded.evidence.max() < 1


def test_order_and_duplicates_are_exact(
    encoder: Encoder, given: list[Acquisition], encoded: Encoded
) -> None:
    shuffled = [*given, given[4], given[4]]
    random.Random(3).shuffle(shuffled)
    assert equal(in_blocks(encoder, tokens_of(shuffled, BANDS), asked()), encoded)


def test_blocks_of_pixels_are_exact(
    encoder: Encoder, given: list[Acquisition], encoded: Encoded
) -> None:
    """Any pixels in any order, many or one, give what they give beside all others."""
    tokens = tokens_of(given, BANDS)
    order = torch.randperm(70, generator=torch.Generator().manual_seed(0))
    for rows in (order, order[:1], order[:33], torch.arange(64, 70)):
        part = in_blocks(encoder, tokens.of(rows), asked())
        assert torch.equal(part.posterior.mean, encoded.posterior.mean[rows])
        assert torch.equal(part.posterior.factor, encoded.posterior.factor[rows])
        assert torch.equal(part.embedding, encoded.embedding[rows])


@pytest.mark.parametrize("channel", [0, 2, 4])
def test_a_masked_channel_is_a_dropped_one(
    encoder: Encoder, given: list[Acquisition], channel: int
) -> None:
    left = [c for c in range(5) if c != channel]
    masked, dropped = [], []
    for a in given:
        if a.sensor == "one":
            masked.append(hidden(a, [channel]))
            dropped.append(a._replace(values=a.values[:, left], error=a.error[:, left]))
        else:
            masked.append(a)
            dropped.append(a)
    bands: Bands = {**BANDS, "one": tuple([row[c] for c in left] for row in BANDS["one"])}
    first, second = tokens_of(masked, BANDS), tokens_of(dropped, bands)
    assert equal(in_blocks(encoder, first, asked()), in_blocks(encoder, second, asked()))


@pytest.mark.parametrize("keep", [1, 8, 20])
def test_a_masked_acquisition_is_a_dropped_one(
    encoder: Encoder, given: list[Acquisition], keep: int
) -> None:
    kept = random.Random(keep).sample(range(len(given)), keep)
    masked = [
        a if k in kept else hidden(a, [*range(a.values.shape[1])]) for k, a in enumerate(given)
    ]
    dropped = [given[k] for k in kept]
    first, second = (tokens_of(some, BANDS) for some in (masked, dropped))
    assert equal(in_blocks(encoder, first, asked()), in_blocks(encoder, second, asked()))


def test_a_date_does_not_depend_on_the_others(
    encoder: Encoder, given: list[Acquisition], encoded: Encoded
) -> None:
    for chosen in ([5, 2], [4]):
        few = in_blocks(encoder, tokens_of(given, BANDS), asked()[chosen])
        assert torch.equal(few.posterior.mean, encoded.posterior.mean[:, chosen])
        assert torch.equal(few.posterior.factor, encoded.posterior.factor[:, chosen])


def test_training_and_use_agree_up_to_rounding(given: list[Acquisition]) -> None:
    encoder, tokens = drawn(), tokens_of(given, BANDS)
    used, trained = encoder.eval()(tokens, asked()), encoder.train()(tokens, asked())
    torch.testing.assert_close(trained.mean, used.mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(trained.factor, used.factor, rtol=1e-4, atol=1e-5)


def test_nothing_seen_gives_the_prior(encoder: Encoder, given: list[Acquisition]) -> None:
    """To the last bit, with acquisitions that saw nothing and without any."""
    clouded = [hidden(a, [*range(a.values.shape[1])]) for a in given]
    place = statics_of(70, {"latitude": torch.full((70,), 48.0)}, given[0].values)
    for tokens in (tokens_of(clouded, BANDS), no_tokens(70, given[0].values)):
        found = in_blocks(encoder, tokens, asked(), place)
        prior = prior_of(NAMES, given[0].values)
        assert torch.equal(found.posterior.mean, prior.mean.expand(70, 9, -1))
        assert torch.equal(found.posterior.factor, prior.factor.expand(70, 9, -1, -1))
        joint = prior_of(NAMES, given[0].values, 5)
        assert torch.equal(found.joint.factor, joint.factor.expand(70, 9, -1, -1))
        assert not found.embedding.any()
        assert not found.evidence.any()


def test_only_pixels_that_saw_nothing_have_the_prior(encoder: Encoder) -> None:
    given = [
        a._replace(error=torch.where(torch.arange(70)[:, None] == 3, torch.inf, a.error))
        for a in series()
    ]
    found = in_blocks(encoder, tokens_of(given, BANDS), asked())
    still = (found.posterior.mean == 0).flatten(1).all(1)
    assert still.nonzero().flatten().tolist() == [3]


def test_what_is_long_ago_says_little(encoder: Encoder, given: list[Acquisition]) -> None:
    """The evidence falls with the lag, and with it the distance from the prior."""
    last = max(a.time for a in given)
    later = last + torch.tensor([1.0, 200.0, 1000.0, 4000.0, 20000.0], dtype=torch.float64)
    found = in_blocks(encoder, tokens_of(given, BANDS), later)
    evidence = found.evidence.mean(0)
    assert bool((evidence.diff() < 0).all())
    assert evidence[-1] < 1e-6
    assert found.posterior.mean[:, -1].abs().max() < 1e-4


def test_the_year_does_not_enter_but_the_season_does(
    encoder: Encoder, given: list[Acquisition], encoded: Encoded
) -> None:
    tokens = tokens_of(given, BANDS)
    for days, alike in ((3 * YEAR, True), (0.5 * YEAR, False)):
        moved = in_blocks(encoder, tokens._replace(time=tokens.time + days), asked() + days)
        close = torch.allclose(moved.posterior.mean, encoded.posterior.mean, atol=1e-3)
        assert close == alike


def test_starts_from_the_prior(given: list[Acquisition]) -> None:
    found = Encoder(NAMES)(tokens_of(given, BANDS), asked())
    assert not found.mean.any()
    wanted = prior_of(NAMES, found.mean, 5).factor.expand(found.factor.shape)
    torch.testing.assert_close(found.factor, wanted)


def test_sensors_never_met(encoder: Encoder) -> None:
    """An imaging spectrometer and a single band; neighbouring bands of it say much the same."""
    fine = torch.linspace(420.0, 2450.0, 90).tolist()
    bands: Bands = {"fine": (fine, [10.0] * 90), "single": ([551.0], [20.0])}
    angles = torch.tensor([30.0, 10.0, 90.0]).expand(64, 3)
    values = torch.rand(64, 90)
    fine_one = Acquisition(17010.0, "fine", values, torch.full((64, 90), 0.02), angles)
    single = Acquisition(17012.0, "single", values[:, :1], torch.full((64, 1), 0.02), angles)
    tokens = tokens_of([fine_one, single], bands)
    found = encoder(tokens, asked())
    assert bool(found.mean.isfinite().all())
    shifted = tokens._replace(wavelength=tokens.wavelength + 1.0)
    near = encoder(shifted, asked())
    assert (near.mean - found.mean).abs().max() < 0.1 * found.mean.std()


def test_statics_enter_where_they_are_known(encoder: Encoder, given: list[Acquisition]) -> None:
    tokens = tokens_of(given, BANDS)
    like = given[0].values
    height = torch.linspace(0.0, 2000.0, 70)
    known = in_blocks(encoder, tokens, asked(), statics_of(70, {"elevation": height}, like))
    none = in_blocks(encoder, tokens, asked())
    missing = torch.where(torch.arange(70) < 35, height, torch.nan)
    half = in_blocks(encoder, tokens, asked(), statics_of(70, {"elevation": missing}, like))
    assert torch.equal(half.posterior.mean[:35], known.posterior.mean[:35])
    assert torch.equal(half.posterior.mean[35:], none.posterior.mean[35:])
    assert not torch.equal(known.posterior.mean, none.posterior.mean)
    with pytest.raises(InputError, match="'height' is no static field"):
        statics_of(70, {"height": height}, like)
    assert statics_of(70, dict.fromkeys(SCALES, height), like).isfinite().all()


def test_a_field_that_training_never_knew_says_nothing(given: list[Acquisition]) -> None:
    """Its weights start at 0, and what is always unknown never moves them."""
    encoder = Encoder(NAMES)
    encoder.head.weight.data.normal_(std=0.3)
    tokens, like = tokens_of(given, BANDS), given[0].values
    encoder(tokens, asked()).mean.sum().backward()
    assert encoder.place.weight.grad is not None
    assert not encoder.place.weight.grad.any()
    place = statics_of(70, {"elevation": torch.full((70,), 900.0)}, like)
    assert torch.equal(encoder(tokens, asked(), place).mean, encoder(tokens, asked()).mean)


def test_gradients_are_finite_for_any_values() -> None:
    """Dark, bright, negative, without error, hidden: of every weight, once it has left 0."""
    encoder = drawn(width=32).requires_grad_(True)
    given = series(pixels=8, dates=6)
    odd = torch.tensor([0.0, -0.2, 1e-12, 3.0, 1.0, 0.5, 0.0, 0.1])[:, None]
    given[1] = given[1]._replace(values=odd.expand(8, 5), error=torch.full((8, 5), 1e-9))
    given[2] = hidden(given[2], [*range(5)])
    posterior = encoder(tokens_of(given, BANDS), asked())
    loss = posterior.kl(prior_of(NAMES, posterior.mean, 5)).mean() + posterior.mean.square().mean()
    loss.backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert bool(parameter.grad.any()) or "place" in name, name


def test_the_state_alone_is_the_marginal_of_state_and_discrepancy(encoded: Encoded) -> None:
    """Whatever the modes are: mean and covariance of the state are those of the joint law."""
    assert encoded.joint.mean.shape[-1] == len(NAMES) + 5
    part = encoded.joint.covariance[..., : len(NAMES), : len(NAMES)]
    torch.testing.assert_close(encoded.posterior.covariance, part)
    assert torch.equal(encoded.posterior.mean, encoded.joint.mean[..., : len(NAMES)])
    across = encoded.joint.covariance[..., len(NAMES) :, : len(NAMES)]
    assert across.abs().max() > 0.01


def test_factor_is_a_factor(encoded: Encoded) -> None:
    diagonal = encoded.posterior.factor.diagonal(dim1=-2, dim2=-1)
    assert bool((diagonal > 0).all())
    assert not torch.triu(encoded.posterior.factor, 1).any()


def test_single_and_double_precision_agree(given: list[Acquisition]) -> None:
    single = drawn()(tokens_of(given, BANDS), asked())
    exact = [
        a._replace(values=a.values.double(), error=a.error.double(), angles=a.angles.double())
        for a in given
    ]
    double = drawn(dtype=torch.float64)(tokens_of(exact, BANDS), asked())
    assert double.mean.dtype == torch.float64
    torch.testing.assert_close(single.mean.double(), double.mean, rtol=1e-3, atol=1e-4)
