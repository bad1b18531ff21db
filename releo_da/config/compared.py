"""What of an ensemble is compared with the truth of a twin experiment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from releo_da.config.assemble import Assembly
from releo_da.config.document import Document
from releo_da.observation.derived import DERIVED, quantities
from releo_da.observation.structure import widened
from releo_da.physics.optics import load_optics
from releo_da.runs.acquire import Decode, Derive
from releo_da.runs.retrieved import Reading
from releo_da.types import InputError


def estimated(assembly: Assembly, known: Mapping[str, float] | None = None) -> Decode:
    """Latents to those variables that are estimated, not fixed, and the biases of sensors.

    Args:
        assembly: whose latents they are.
        known: the biases of a truth, where they are no latents.
    """

    def decode(ensemble: Tensor) -> dict[str, Tensor]:
        found = _estimated(assembly, ensemble, assembly.layout.decode(ensemble))
        return found | constant(known or {}, ensemble)

    return decode


def _estimated(
    assembly: Assembly, ensemble: Tensor, values: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Of all variables those that are estimated, and the biases of sensors."""
    biases = assembly.model.biases
    found = {name: values[name] for name in assembly.layout.names}
    return found | (biases.decode(ensemble) if biases is not None else {})


def comparing(assembly: Assembly) -> Derive:
    """An ensemble and angles to what is compared with a truth.

    That is what is estimated, and those of the output variables that follow from it without
    channels, which are compared anyway, with what the canopy model leaves open of them.
    """
    names = _derived(assembly)

    def compare(ensemble: Tensor, angles: Tensor) -> dict[str, Tensor]:
        values = assembly.layout.decode(ensemble)
        at = partial(load_optics, dtype=ensemble.dtype, device=ensemble.device)
        made = quantities(names, values, angles[:, None, 0].to(ensemble), at)
        return widened(_estimated(assembly, ensemble, values) | made, assembly.structural)

    return compare


def _derived(assembly: Assembly) -> list[str]:
    """Of the output variables those that follow from what is estimated without channels."""
    return [name for name in assembly.model.described if name in DERIVED]


def beside(document: Document, assembly: Assembly, reading: Reading | None) -> Reading | None:
    """A network that is to stand beside what is compared with a truth.

    Raises:
        InputError: it reads nothing of that.
    """
    names = (*assembly.layout.names, *_derived(assembly))
    if reading is None or set(names) & set(reading.network.names):
        return reading
    raise InputError(
        f"{document.path}: score.network: the network reads {', '.join(reading.network.names)}, of "
        f"which this run compares none ({', '.join(names)}); add one to products.variables, or "
        "remove the key"
    )


def constant(values: Mapping[str, float], ensemble: Tensor) -> dict[str, Tensor]:
    """Numbers as variables of an ensemble ``[..., latent]``, ``[...]`` each."""
    one = ensemble.new_ones(ensemble.shape[:-1])
    return {name: value * one for name, value in values.items()}
