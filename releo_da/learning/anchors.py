r"""Priors of the learned parameters, so that latents keep their meaning.

The likelihood alone would explain reflectances with any latent that fits: a leaf area that stands
for soil colour forecasts reflectance as well. Each parameter therefore has a normal prior about its
starting value, and its negative logarithm is added to the loss (maximum a posteriori):

    penalty = 1/2 sum_p ((p - p_0) / s_p)^2

with the scales s_p below: in prior standard deviations for the seasonal mean, in natural logarithms
for rates, deviations and responses to weather, in reflectance for residual means; the last layer of
a network is in units of its own prior deviation, ``looseness``. Of a parameter of
a part of a module the last part of its name counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

SCALES = {
    "season": 1.0,
    "log_rate": 0.5,
    "log_sigma": 0.3,
    "rough_log_rate": 0.5,
    "rough_log_sigma": 0.3,
    "own_log_sigma": 0.3,
    "coupling": 0.3,
    "residual_mean": 0.01,
    "residual_log_rate": 0.5,
    "residual_log_sigma": 0.3,
    "residual_coupling": 0.5,
    "log_representativeness": 0.7,
    "log_response": 1.0,
    "slow_log_scale": 0.5,
    "memory_log_rate": 0.5,
    "first": 0.3,
    "first_bias": 0.3,
    "last": 1.0,
    "recall": 0.3,
}
"""Standard deviation of each parameter's prior about its starting value."""


class Parametrised(Protocol):
    """What has named parameters, as every module does."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Name and tensor of each."""
        ...


def anchored(
    modules: Sequence[Parametrised], scales: dict[str, float] = SCALES
) -> Callable[[], Tensor]:
    """The penalty of the modules' parameters about their present values.

    Raises:
        KeyError: a parameter has no scale.
    """
    anchors = [
        (parameter, parameter.detach().clone(), scales[name.rpartition(".")[2]])
        for module in modules
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    ]

    def penalty() -> Tensor:
        terms = [((p - start) / scale).square().sum() for p, start, scale in anchors]
        return 0.5 * torch.stack(terms).sum() if terms else torch.zeros(())

    return penalty
