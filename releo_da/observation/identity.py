r"""Observation of components of the state as they are: the operator of toy models.

    H(x)[pixel, member, channel] = x[pixel, member, network[channel]]

A network is a list of components, in the order of the channels. Where some channels of an
acquisition are missing they have infinite error, as everywhere. Cost: none for a network of equal
steps, which is a view of the ensemble, else a copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from releo_da.types import Acquisition


class Components:
    """Sees some components of each member.

    Args:
        network: positions on the latent axis, one per channel.
    """

    def __init__(self, network: Sequence[int]) -> None:
        self.network = list(network)
        self.index = view_of(self.network)

    def __call__(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        """H of every member, ``[pixel, member, channel]``; no channel where none was asked."""
        if not acquisition.sensor:
            return ensemble[..., :0]
        return ensemble[..., self.index]


def view_of(network: list[int]) -> slice | list[int]:
    """The slice that means the same positions, or the positions where there is none."""
    first, last = network[0], network[-1]
    step = network[1] - first if len(network) > 1 else 1
    if step > 0 and network == list(range(first, last + 1, step)):
        return slice(first, last + 1, step)
    return network
