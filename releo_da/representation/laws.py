r"""What every encoder has to obey, as functions: for ours, and for one of your own.

An encoder is asked by ``encode(tokens, times, statics)`` (`releo_da.representation.encoder`) for a
posterior of P pixels at T dates. Each law is called with one, a series and the dates, and raises an
`AssertionError` that names what does not hold:

    of_the_shape        mean [P, T, V], lower factors with a positive diagonal, finite
    order_is_nothing    acquisitions in another order, one of them twice, say the same
    clouds_are_absent   an acquisition of which nothing was seen is one that is not there
    masked_is_dropped   a channel that is masked is one that is not there
    pixels_apart        a pixel is encoded as if it were alone
    dates_apart         what is said of a date does not depend on which others are asked for
    nothing_is_prior    of a pixel that nobody saw it says the prior, and evidence 0
    gradients_pass      the gradient of the density reaches the parameters and is finite

    from releo_da.representation.laws import LAWS
    for law in LAWS.values():
        law(encoder, acquisitions, bands, times)

The first two follow from `tokens_of` where an encoder takes tokens as they come. Results may differ
by rounding (`ROUNDING`); that ours do not differ at all where blocks are filled up (`in_blocks`) is
tested beside it. Cost: a dozen encodings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from releo_da.representation.encoder import Encoded, Encodes
from releo_da.representation.posterior import prior_of
from releo_da.representation.tokens import Bands, no_tokens, tokens_of
from releo_da.types import Acquisition

Series = Sequence[Acquisition]
Law = Callable[[Encodes, Series, Bands, Tensor], None]

ROUNDING = 256.0
"""Units of the last digit by which results may differ that are computed in another order."""


def of_the_shape(encoder: Encodes, series: Series, bands: Bands, times: Tensor) -> None:
    """A posterior of every pixel at every date."""
    said = _asked(encoder, series, bands, times)
    mean, factor = said.posterior
    size = len(encoder.names)
    wanted = (len(series[0].values), len(times), size)
    assert mean.shape == wanted, f"the mean is {list(mean.shape)}, not {list(wanted)}"
    assert factor.shape == (*wanted, size), f"the factor is {list(factor.shape)}"
    assert bool(mean.isfinite().all() and factor.isfinite().all()), "a number is not finite"
    assert torch.equal(factor, factor.tril()), "a factor is not lower triangular"
    assert bool((factor.diagonal(dim1=-2, dim2=-1) > 0).all()), "a deviation is not positive"
    assert said.evidence.shape == wanted[:2], f"the evidence is {list(said.evidence.shape)}"


def order_is_nothing(encoder: Encodes, series: Series, bands: Bands, times: Tensor) -> None:
    """The series backwards, one acquisition twice."""
    other = [*reversed(series), series[0]]
    _same(encoder, series, bands, other, bands, times, "order or duplicates matter")


def clouds_are_absent(encoder: Encodes, series: Series, bands: Bands, times: Tensor) -> None:
    """Every second acquisition in cloud, and without these."""
    hidden = [_masked(a, slice(None)) if k % 2 else a for k, a in enumerate(series)]
    _same(encoder, hidden, bands, series[::2], bands, times, "what nobody saw says something")


def masked_is_dropped(encoder: Encodes, series: Series, bands: Bands, times: Tensor) -> None:
    """The last channel of each sensor."""
    hidden = [_masked(a, slice(-1, None)) for a in series]
    less = [a._replace(values=a.values[:, :-1], error=a.error[:, :-1]) for a in series]
    few: Bands = {name: (wave[:-1], width[:-1]) for name, (wave, width) in bands.items()}
    _same(encoder, hidden, bands, less, few, times, "a masked channel says something")


def pixels_apart(encoder: Encodes, series: Series, bands: Bands, times: Tensor) -> None:
    """The last pixel alone, and all in another order."""
    whole = _asked(encoder, series, bands, times)
    count = len(series[0].values)
    for rows in (torch.tensor([count - 1]), torch.arange(count).flip(0)):
        tokens = tokens_of(series, bands).of(rows)
        with torch.no_grad():
            part = encoder.encode(tokens, times)
        for one, other in zip(part.posterior, whole.posterior, strict=True):
            _close(one, other[rows], "pixels beside others are encoded otherwise")


def dates_apart(encoder: Encodes, series: Series, bands: Bands, times: Tensor) -> None:
    """The last date alone."""
    whole, one = (_asked(encoder, series, bands, t).posterior for t in (times, times[-1:]))
    for part, all_of_them in zip(one, whole, strict=True):
        _close(part, all_of_them[:, -1:], "what is said of a date depends on the others")


def nothing_is_prior(encoder: Encodes, series: Series, bands: Bands, times: Tensor) -> None:
    """Clouds everywhere, and no acquisition at all."""
    prior = prior_of(encoder.names, series[0].values)
    clouded = tokens_of([_masked(a, slice(None)) for a in series], bands)
    for tokens in (clouded, no_tokens(len(series[0].values), series[0].values)):
        with torch.no_grad():
            said = encoder.encode(tokens, times)
        for part, known in zip(said.posterior, prior, strict=True):
            _close(part, known.expand_as(part), "of what nobody saw it says no prior")
        assert not said.evidence.any(), "there is evidence of what nobody saw"


def gradients_pass(encoder: Encodes, series: Series, bands: Bands, times: Tensor) -> None:
    """Every parameter that is learned has a finite gradient, and not all are 0."""
    assert isinstance(encoder, nn.Module), "an encoder that is trained is a torch.nn.Module"
    learned = [p for p in encoder.parameters() if p.requires_grad]
    q = encoder.encode(tokens_of(series, bands), times).posterior
    target = torch.ones_like(q.mean)
    slopes = torch.autograd.grad(-q.log_prob(target).mean(), learned, allow_unused=True)
    known = [slope for slope in slopes if slope is not None]
    assert all(bool(slope.isfinite().all()) for slope in known), "a gradient is not finite"
    assert any(bool(slope.any()) for slope in known), "no gradient reaches a parameter"


LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (
        of_the_shape, order_is_nothing, clouds_are_absent, masked_is_dropped, pixels_apart,
        dates_apart, nothing_is_prior, gradients_pass,
    )
}  # fmt: skip
"""The laws by name."""


@torch.no_grad()
def _asked(encoder: Encodes, series: Series, bands: Bands, times: Tensor) -> Encoded:
    return encoder.encode(tokens_of(series, bands), times)


def _masked(acquisition: Acquisition, channels: slice) -> Acquisition:
    """An acquisition of which some channels were not seen."""
    error = acquisition.error.clone()
    error[:, channels] = torch.inf
    return acquisition._replace(error=error)


def _same(
    encoder: Encodes, one: Series, its: Bands, other: Series, their: Bands, times: Tensor, what: str
) -> None:
    """Two series of which the same is said."""
    first, second = _asked(encoder, one, its, times), _asked(encoder, other, their, times)
    for a, b in zip(first.posterior, second.posterior, strict=True):
        _close(a, b, what)
    _close(first.evidence, second.evidence, what)


def _close(found: Tensor, wanted: Tensor, message: str) -> None:
    """Equal up to rounding."""
    unit = ROUNDING * torch.finfo(wanted.dtype).eps
    assert_close(found, wanted, rtol=unit, atol=unit, msg=lambda text: f"{message}: {text}")
