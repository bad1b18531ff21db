"""The section ``source.twin`` of a toy model: its truth, and what is observed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, islice
from typing import Any

from releo_da.config.bias import offsets_of
from releo_da.config.document import Document, nearest
from releo_da.config.registry import Registry, bind
from releo_da.dynamics.linear import linear
from releo_da.dynamics.lorenz63 import lorenz63
from releo_da.dynamics.lorenz96 import lorenz96
from releo_da.dynamics.quadratic_ring import quadratic_ring
from releo_da.dynamics.stepped import Stepped
from releo_da.types import InputError

TOYS = Registry(
    "toy model",
    {
        "lorenz63": lorenz63,
        "lorenz96": lorenz96,
        "quadratic_ring": quadratic_ring,
        "linear": linear,
    },
)

MEANS = ("first_one", "zeros")
"""Initial means that have a name: 1 in the first component and 0 elsewhere, or 0 everywhere."""


@dataclass(frozen=True)
class Initial:
    """The distribution of the first state: ``[component]`` each."""

    mean: tuple[float, ...]
    variance: tuple[float, ...]


@dataclass(frozen=True)
class ToySource:
    """What a twin experiment of a toy model simulates.

    Attributes:
        truth: the model of the truth.
        initial: where truth and ensemble start.
        times: model time of each observation.
        network: components that are seen.
        error_variance: of the observations, per channel.
        missing: probability that a value is not seen.
        replicates: number of independent truths, side by side.
        seed: of truth, gaps and noise.
        bias: what the observations add to the truth, per channel.
    """

    truth: Stepped
    initial: Initial
    times: tuple[float, ...]
    network: tuple[int, ...]
    error_variance: tuple[float, ...]
    missing: float
    replicates: int
    seed: int | None
    bias: tuple[float, ...]

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, ``x`` and the component."""
        return tuple(f"x{k}" for k in self.network)


def is_toy(document: Document) -> bool:
    """Whether the twin of a configuration is one of a toy model."""
    source = document.values.get("source")
    twin = source.get("twin") if isinstance(source, Mapping) else None
    truth = twin.get("truth") if isinstance(twin, Mapping) else None
    name = truth.get("name") if isinstance(truth, Mapping) else truth
    return isinstance(name, str) and name in TOYS.entries


def toy_source(
    truth: dict[str, Any] | str,
    initial: dict[str, Any] | None = None,
    observe_every: int | Sequence[int] = 1,
    steps: int = 1000,
    network: dict[str, Any] | Sequence[int] | None = None,
    error_variance: float | Sequence[float] = 1.0,
    missing: float = 0.0,
    replicates: int = 1,
    seed: int | None = None,
    bias: Mapping[str, float] | None = None,
) -> ToySource:
    """A toy model and what is observed of it.

    Args:
        truth: the toy model that makes the truth, ``{name: lorenz96, ..}``.
        initial: ``{mean: .., variance: ..}`` of the distribution that truth and ensemble start
            from; mean ``zeros``, ``first_one`` or a list, variance a number or a list.
        observe_every: model steps between observations; a list is repeated in turn. The first
            observation comes after one interval.
        steps: number of observation times.
        network: components that are seen, ``{start: 0, step: 1, stop: ..}`` or a list of
            positions; all unless given.
        error_variance: of an observation, a number or one per channel.
        missing: probability that a value is not seen.
        replicates: independent truths, each with its own ensemble, on the pixel axis.
        seed: of truth, gaps and noise; one more than the run's unless given.
        bias: ``{x0: 0.5}``, what observations of a component add to the truth, 0 elsewhere.
    """
    where = "source.twin"
    model: Stepped = TOYS.build(truth, f"{where}.truth")
    start = bind(initial_distribution, initial, f"{where}.initial", provided={"size": model.size})()
    for name, number in {"steps": steps, "replicates": replicates}.items():
        if number < 1:
            raise InputError(f"{where}.{name} is {number}; give 1 or more")
    if not 0.0 <= missing < 1.0:
        raise InputError(f"{where}.missing is {missing}; give a probability from 0 to below 1")
    seen = components(network, model.size)
    return ToySource(
        model,
        start,
        times_of(observe_every, steps, model.dt),
        seen,
        variances(error_variance, len(seen)),
        missing,
        replicates,
        seed,
        offsets_of(bias or {}, tuple(f"x{k}" for k in seen), f"{where}.bias"),
    )


def initial_distribution(
    size: int,
    mean: str | Sequence[float] = "zeros",
    variance: float | Sequence[float] = 1.0,
) -> Initial:
    """The distribution that truth and ensemble start from.

    Args:
        size: number of components.
        mean: ``zeros``, ``first_one``, or a list with one value per component.
        variance: one for all components, or one for each; 0 starts them all at the mean.
    """
    if isinstance(mean, str):
        if mean not in MEANS:
            raise InputError(
                f"source.twin.initial.mean: unknown '{mean}'; {nearest(mean, MEANS)}, or a list"
            )
        mean = [float(mean == "first_one" and k == 0) for k in range(size)]
    spread = [variance] * size if isinstance(variance, float | int) else list(variance)
    for name, values in {"mean": mean, "variance": spread}.items():
        if len(values) != size:
            raise InputError(
                f"source.twin.initial.{name} has {len(values)} values, the model {size} "
                "components; give one for each"
            )
    if min(spread) < 0.0:
        raise InputError(f"source.twin.initial.variance is {variance}; give 0 or more")
    return Initial(tuple(mean), tuple(spread))


def times_of(every: int | Sequence[int], steps: int, dt: float) -> tuple[float, ...]:
    """Model time of each observation."""
    intervals = [every] if isinstance(every, int) else list(every)
    if not intervals or min(intervals) < 1:
        raise InputError(
            f"source.twin.observe_every is {every}; give 1 model step or more, or a list of them"
        )
    return tuple(dt * count for count in accumulate(islice(cycle(intervals), steps)))


def components(network: dict[str, Any] | Sequence[int] | None, size: int) -> tuple[int, ...]:
    """Positions of the components that are seen."""
    if network is None or isinstance(network, Mapping):
        return bind(regular, network, "source.twin.network", provided={"size": size})()
    found = tuple(network)
    wrong = [k for k in found if not 0 <= k < size]
    if not found or wrong or len(set(found)) < len(found):
        told = f"holds {wrong[0]}" if wrong else "is empty" if not found else "repeats a component"
        raise InputError(
            f"source.twin.network {told}; give different positions from 0 to {size - 1}"
        )
    return found


def regular(size: int, start: int = 0, step: int = 1, stop: int | None = None) -> tuple[int, ...]:
    """Every so manieth component.

    Args:
        size: number of components.
        start: first one.
        step: distance to the next.
        stop: where to end, this one not included; the last component unless given.
    """
    end = size if stop is None else stop
    if not 0 <= start < size or step < 1 or not start < end <= size:
        raise InputError(
            f"source.twin.network: start {start}, step {step}, stop {end} see nothing or more "
            f"than the {size} components; give 0 <= start < stop <= {size} and a step of 1 or more"
        )
    return tuple(range(start, end, step))


def variances(given: float | Sequence[float], channels: int) -> tuple[float, ...]:
    """Error variance of each channel."""
    found = (given,) * channels if isinstance(given, float | int) else tuple(given)
    if len(found) != channels:
        raise InputError(
            f"source.twin.error_variance has {len(found)} values, the network {channels} "
            "components; give one number, or one for each"
        )
    if not min(found) > 0.0:
        raise InputError(f"source.twin.error_variance is {given}; give a positive number")
    return found


def source_of(document: Document) -> ToySource:
    """The section ``source.twin``, checked.

    Raises:
        InputError: it is wrong, or a section that only satellites need is there.
    """
    for key in ("period", "state", "products", "cycle"):
        if document.values.get(key) is not None:
            raise InputError(
                f"{document.path}: {key}: a toy model has none (its times are model time, its "
                "variable is state); remove it"
            )
    made: ToySource = bind(toy_source, document.values["source"]["twin"], "source.twin")()
    return made
