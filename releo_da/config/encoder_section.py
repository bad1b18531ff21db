"""The section ``train`` of an encoder: ``train: {target: encoder, ...}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from releo_da.config.document import Document
from releo_da.config.margins import checked_margins
from releo_da.config.registry import made
from releo_da.learning.batches import Cut
from releo_da.learning.hiding import KINDS, Hiding
from releo_da.learning.pretraining import Schedule
from releo_da.types import InputError

SIZES = {"width": 64, "heads": 4, "layers": 2, "waves": 48, "modes": 5}
"""Of the network, unless others are asked for or a start brings its own."""


@dataclass(frozen=True)
class Encoding:
    """How an encoder is trained.

    Attributes:
        series: name -> ``{source: .., period: ..}``, what it is trained on.
        test: the same, what it is scored on at the end.
        schedule: how long and how fast.
        cut: the size of a batch.
        hiding: how much is hidden.
        reuse: steps that are taken on a simulated block before the next is made.
        validation: batches of each series that are looked at.
        sizes: of the network.
        truth: variables whose truth is learned from where a land is simulated.
        margins: weights of densities beside the joint one, by name of an index or ``channels``.
        start: weights that the training begins with; None for random ones.
    """

    series: Mapping[str, Any]
    test: Mapping[str, Any]
    schedule: Schedule
    cut: Cut
    hiding: Hiding
    reuse: int
    validation: int
    sizes: Mapping[str, int]
    truth: tuple[str, ...]
    margins: Mapping[str, float]
    start: str | None


def encoding(
    target: Literal["encoder"],
    series: dict[str, dict[str, Any]] | None = None,
    test: dict[str, dict[str, Any]] | None = None,
    steps: int = 6000,
    pixels: int = 32,
    dates: int = 16,
    days: tuple[float, float] = (60.0, 400.0),
    reuse: int = 40,
    validation: int = 4,
    learning_rate: float = 2e-3,
    warm_up: int = 200,
    beta: float = 0.02,
    known: float = 1.0,
    contamination: float = 1e-3,
    every: int = 250,
    patience: int = 8,
    hiding: dict[str, Any] | None = None,
    width: int = SIZES["width"],
    heads: int = SIZES["heads"],
    layers: int = SIZES["layers"],
    waves: int = SIZES["waves"],
    modes: int = SIZES["modes"],
    truth: Sequence[str] = (),
    told: tuple[float, float] = (0.5, 2.0),
    margins: dict[str, float] | None = None,
    start: str | None = None,
) -> Encoding:
    """How an encoder is trained by what is hidden from it.

    Args:
        target: ``encoder``.
        series: ``{name: {source: .., period: ..}}``, what it is trained on; the configuration's own
            source unless given. ``forecast`` and ``seed`` may stand beside ``source``, and
            ``vary``: what is drawn anew for every block of a simulation
            (`releo_da.config.encoder_variety`).
        test: the same, what it is scored on at the end; may ask for test years.
        steps: at most.
        pixels: of a batch.
        dates: of a batch that are asked for.
        days: shortest and longest window of a batch.
        reuse: steps on a simulated block of a series before the next block is made.
        validation: batches of each series that no step is taken on.
        learning_rate: of Adam at its height; it falls to zero as a cosine.
        warm_up: steps over which it rises.
        beta: weight of the divergence from the prior.
        known: weight of the density of latents that are known.
        contamination: probability of undetected cloud.
        every: steps between two looks at the validation series, and between checkpoints.
        patience: looks without a better one after which the training ends.
        hiding: ``{dates: .., channels: .., sensors: .., periods: .., wavelengths: ..,
            days: [15, 90], difficulty: 1}``, how much is hidden of a series.
        width: of the network.
        heads: of its attention.
        layers: of its attention.
        waves: width of its network of wavelengths.
        modes: of the discrepancy that is estimated beside the state; 0 for none.
        truth: variables of simulated lands whose truth is learned from, such as ``[lai]``.
        told: least and largest factor by which errors that the encoder is told differ from those
            that it is judged by.
        margins: ``{ndvi: 5, channels: 1}``, weights of the density of an index, or of each channel
            on its own, of what is hidden, that count beside the joint density of all channels.
        start: ``default`` or a path, weights that the training begins with and whose sizes it
            takes; random ones unless given.

    Raises:
        InputError: a number is out of range, or sizes are asked for beside a start, which has
            its own.
    """
    whole = {
        "steps": steps, "pixels": pixels, "dates": dates, "reuse": reuse,
        "validation": validation, "every": every, "patience": patience, "heads": heads,
        "layers": layers, "waves": waves, "width": width,
    }  # fmt: skip
    for name, value in whole.items():
        if value < 1:
            raise InputError(f"train.{name} is {value}; give 1 or more")
    if modes < 0:
        raise InputError(f"train.modes is {modes}; give 0 or more")
    sizes = {"width": width, "heads": heads, "layers": layers, "waves": waves, "modes": modes}
    other = [name for name, value in sizes.items() if value != SIZES[name]]
    if start is not None and other:
        raise InputError(
            f"train.{other[0]}: with train.start an encoder has the sizes of its weights; leave "
            "it out, or leave out train.start"
        )
    if width % heads:
        raise InputError(f"train.width is {width}; give a multiple of the {heads} heads")
    if not learning_rate > 0:
        raise InputError(f"train.learning_rate is {learning_rate}; give a positive number")
    for name, least in {"warm_up": warm_up, "beta": beta, "known": known}.items():
        if least < 0:
            raise InputError(f"train.{name} is {least}; give 0 or more")
    if not 0 <= contamination < 1:
        raise InputError(f"train.contamination is {contamination}; give 0 to below 1")
    much: Hiding = made(Hiding, hiding, "train.hiding")
    for name in KINDS:
        if not 0 <= getattr(much, name) <= 1:
            raise InputError(f"train.hiding.{name} is {getattr(much, name)}; give 0 to 1")
    if not much.difficulty >= 0:
        raise InputError(f"train.hiding.difficulty is {much.difficulty}; give 0 or more")
    for where, (low, high) in {"days": days, "hiding.days": much.days, "told": told}.items():
        if not 0 < low <= high:
            raise InputError(f"train.{where} is {[low, high]}; give two positive numbers in order")
    return Encoding(
        series or {},
        test or {},
        Schedule(steps, learning_rate, warm_up, beta, known, every, patience, contamination),
        Cut(pixels, dates, days, told),
        much,
        reuse,
        validation,
        sizes,
        tuple(truth),
        checked_margins(margins),
        start,
    )


def entries_of(document: Document, how: Encoding) -> Mapping[str, Any]:
    """What is trained on: the entries of ``train.series``, or the configuration's own source."""
    if how.series:
        return how.series
    source = document.require("source")
    return {"source": {"source": source, "period": document.require("period")}}
