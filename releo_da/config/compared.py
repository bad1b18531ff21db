"""What of an ensemble is compared with the truth of a twin experiment."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from releo_da.config.assemble import Assembly
from releo_da.observation.derived import DERIVED, derive
from releo_da.runs.acquire import Decode, Derive


def estimated(assembly: Assembly, known: Mapping[str, float] | None = None) -> Decode:
    """Latents to those variables that are estimated, not fixed, and the biases of sensors.

    Args:
        assembly: whose latents they are.
        known: the biases of a truth, where they are no latents.
    """
    biases = assembly.model.biases

    def decode(ensemble: Tensor) -> dict[str, Tensor]:
        values = assembly.layout.decode(ensemble)
        found = {name: values[name] for name in assembly.layout.names}
        found |= biases.decode(ensemble) if biases is not None else {}
        return found | constant(known or {}, ensemble)

    return decode


def comparing(assembly: Assembly) -> Derive:
    """An ensemble and angles to what is compared with a truth.

    That is what is estimated, and those of the output variables that follow from it without
    channels, which are compared anyway.
    """
    decode, layout = estimated(assembly), assembly.layout
    names = [name for name in assembly.model.described if name in DERIVED]
    made = derive(names, layout.decode, assembly.model.observe, {})
    return lambda ensemble, angles: {**decode(ensemble), **made(ensemble, angles)}


def constant(values: Mapping[str, float], ensemble: Tensor) -> dict[str, Tensor]:
    """Numbers as variables of an ensemble ``[..., latent]``, ``[...]`` each."""
    one = ensemble.new_ones(ensemble.shape[:-1])
    return {name: value * one for name, value in values.items()}
