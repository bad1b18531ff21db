"""The encoder is put through the laws of `releo_da.representation.laws`, and breaks none of them.

Here up to rounding, as anyone's; that ours keeps them to the last bit where blocks are filled up is
tested in tests/representation/test_encoder.py. To add one, add it to `CASES`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from releo_da.representation.encoder import Encoded, Encoder
from releo_da.representation.laws import LAWS, Law
from releo_da.representation.posterior import Posterior
from releo_da.representation.tokens import Tokens
from tests.representation.series import BANDS, asked, drawn, series

CASES: dict[str, Callable[[], Encoder]] = {"attention": drawn}


@pytest.mark.parametrize("law", LAWS.values(), ids=[*LAWS])
@pytest.mark.parametrize("make", CASES.values(), ids=[*CASES])
def test_a_law(make: Callable[[], Encoder], law: Law) -> None:
    encoder = make().requires_grad_(True)
    law(encoder, series(7, 9), BANDS, asked(4))


class Wrong(Encoder):
    """An encoder that breaks one law."""

    def __init__(self, how: str) -> None:
        super().__init__(("cab", "lai"), 16, 2, 1, 8)
        self.how = how
        with torch.no_grad():
            self.head.weight.add_(0.3 * torch.randn_like(self.head.weight))

    def encode(self, tokens: Tokens, times: Tensor, statics: Tensor | None = None) -> Encoded:
        """As an encoder does, with one thing wrong."""
        said = super().encode(tokens, times, statics)
        mean, factor = said.posterior
        number = float(tokens.value.shape[1])
        channels = float(tokens.value.shape[2])
        wrong = {
            "of_the_shape": lambda: Posterior(mean, factor.mT),
            "order_is_nothing": lambda: Posterior(mean + self.asked_again(), factor),
            "clouds_are_absent": lambda: Posterior(mean + number, factor),
            "masked_is_dropped": lambda: Posterior(mean + channels, factor),
            "pixels_apart": lambda: Posterior(mean - mean.mean(0), factor),
            "dates_apart": lambda: Posterior(mean - mean.mean(1, keepdim=True), factor),
            "nothing_is_prior": lambda: Posterior(mean + 1.0, factor),
            "gradients_pass": lambda: Posterior(mean * torch.inf, factor),
        }[self.how]()
        return said._replace(joint=wrong, variables=None)

    def asked_again(self) -> float:
        """Something that is not the same twice, as if order were kept."""
        self.calls = getattr(self, "calls", 0) + 1
        return float(self.calls)


@pytest.mark.parametrize("name", LAWS)
def test_a_law_that_is_broken_says_so(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        encoder = Wrong(name)
    with pytest.raises(AssertionError):
        LAWS[name](encoder, series(7, 9), BANDS, asked(4))
