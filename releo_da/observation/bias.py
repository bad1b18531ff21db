r"""An operator whose instruments add something of their own.

    H(x)[pixel, member, channel] = H_0(x) + b(x)[bias of that channel of that sensor]    `Biased`
    H(x)[pixel, member, channel] = H_0(x) + constant of that channel of that sensor      `Offset`

The first is for a model that estimates biases as latents (`releo_da.state.bias`), the second for a
truth that has them. Both act on channels, after indices have been formed, and on the acquisitions
of the sensors that are named only. Cost: B C per member.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from releo_da.types import Acquisition, ObservationOperator


class Biased:
    """Adds the bias latents of a sensor to what an operator predicts of its channels.

    Args:
        operator: predicts channels without bias.
        biases: the bias latents of an ensemble, ``[..., latent] -> [..., bias]``.
        selections: for each sensor with a bias, which is in which channel, ``[bias, channel]``.
    """

    def __init__(
        self,
        operator: ObservationOperator,
        biases: Callable[[Tensor], Tensor],
        selections: Mapping[str, Tensor],
    ) -> None:
        self.operator, self.biases, self.selections = operator, biases, dict(selections)

    def __call__(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        """H of every member, ``[pixel, member, channel]``."""
        predicted = self.operator(ensemble, acquisition)
        selection = self.selections.get(acquisition.sensor)
        if selection is None:
            return predicted
        return predicted + self.biases(ensemble) @ selection.to(ensemble)


class Offset:
    """Adds a constant to what an operator predicts of a sensor's channels.

    Args:
        operator: predicts channels without bias.
        constants: for each sensor with a bias, that of each channel, ``[channel]``.
    """

    def __init__(self, operator: ObservationOperator, constants: Mapping[str, Tensor]) -> None:
        self.operator, self.constants = operator, dict(constants)

    def __call__(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        """H of every member, ``[pixel, member, channel]``."""
        predicted = self.operator(ensemble, acquisition)
        constant = self.constants.get(acquisition.sensor)
        return predicted if constant is None else predicted + constant.to(predicted)
