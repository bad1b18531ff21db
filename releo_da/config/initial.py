"""``forecast: {initial: ...}``: what the ensemble before the first acquisition is drawn from.

Without it an ensemble begins with the forecaster's own law. ``{name: encoder}`` looks at what the
source holds of the days before the period, and at nothing later, so nothing that is assimilated or
scored has been seen before. A run without a period, or whose source holds nothing clear of those
days, begins as without it, and its log says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from releo_da.config.assemble import Assembly
from releo_da.config.document import Document
from releo_da.config.encoded import bands_of, encoder_at
from releo_da.config.encoder_error import as_trained
from releo_da.config.encoder_range import beyond_training
from releo_da.config.encoder_weights import Kept, check_layout
from releo_da.config.initial_file import START, read_start, write_start
from releo_da.config.registry import Registry
from releo_da.config.sections import days as days_of
from releo_da.config.sections import score, section
from releo_da.config.sources import read_sources
from releo_da.io.series import Series
from releo_da.observation.error import ObservationError
from releo_da.representation.initial import Encoded, Start, start_of
from releo_da.representation.tokens import tokens_of
from releo_da.runs.covariates import covariates
from releo_da.runs.hindcast import blocks
from releo_da.runs.model import Model, on
from releo_da.types import InputError, Weather

INITIAL = "initial"
"""The option of ``forecast``."""

WHERE = f"forecast.{INITIAL}"
Record = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """An encoder that looks at the days before a run."""

    weights: str
    days: float


def encoder(weights: str = "default", days: float = 60.0) -> Wanted:
    """The posterior of an encoder over the acquisitions of the days before the period.

    Args:
        weights: a file of `releo-da train`, or ``default`` for those of the package.
        days: how far before the period it looks.

    Raises:
        InputError: the number of days is not positive.
    """
    if not 0 < days < math.inf:
        raise InputError(f"days is {days}; give a positive number of days before the period")
    return Wanted(weights, float(days))


INITIALS = Registry("initial ensemble", {"encoder": encoder})


def wanted_of(document: Document) -> Wanted | None:
    """What the configuration says of the initial ensemble; None where it says nothing.

    Raises:
        InputError: an unknown name or option.
    """
    spec = document.values.get("forecast")
    given = spec.get(INITIAL) if isinstance(spec, dict) else None
    if given is None:
        return None
    made: Wanted = INITIALS.build(given, WHERE)
    return made


def before(document: Document, wanted: Wanted) -> Document | None:
    """The configuration of the days before the period; None without a period."""
    if document.period is None:
        return None
    first = document.period[0]
    length = timedelta(days=math.ceil(wanted.days))
    period = [first - length, first - timedelta(days=1)]
    return replace(document, values={**document.values, "period": period})


def past_of(
    document: Document, wanted: Wanted, read: Callable[[Document], Series] = read_sources
) -> tuple[Series | None, list[Record]]:
    """What was seen in the days before a run, and records for its log.

    Args:
        document: the configuration of the run.
        wanted: how far it looks.
        read: reads the series of a configuration.
    """
    earlier = before(document, wanted)
    if earlier is None:
        why = "the configuration has no period, so nothing says which days are before it"
        return None, [{"kind": "no_past", "message": f"{WHERE}: {why}"}]
    try:
        series = read(earlier)
    except InputError as error:  # the run's own days were read: the past alone has nothing
        return None, [{"kind": "no_past", "message": f"{WHERE}: {error}"}]
    until = days_of(earlier.values["period"][1], end=True)
    kept = [a for a in series.acquisitions if until - wanted.days <= a.time < until]
    said = {"kind": "past", "days": wanted.days, "acquisitions": len(kept)}
    if not kept:
        return None, [{"kind": "no_past", "message": f"{WHERE}: nothing in {wanted.days:g} days"}]
    return series._replace(acquisitions=kept), [said]


def start(
    document: Document,
    series: Series,
    kept: Kept,
    own: ObservationError,
    weather: Weather | None,
    device: torch.device,
) -> Start:
    """The posterior at the first day of a run.

    Args:
        document: the configuration, which has a period.
        series: what was seen before.
        kept: the encoder.
        own: R of the run.
        weather: bound to the pixels of the run; pixels without it have no climate.
        device: where tensors live while a block is worked on.
    """
    period = document.require("period")
    pixels = torch.as_tensor(series.pixels["id"].values)
    bands, network = bands_of(series.channels), kept.encoder.to(device)
    bound = weather is not None and bool(torch.isin(pixels, weather.pixels).all())
    known = covariates(series.pixels, torch.zeros((), device=device), weather if bound else None)
    complete = as_trained(kept, own, series.channels)
    parts = []
    for rows in blocks(pixels):
        tokens = tokens_of([complete(on(a, device, rows)) for a in series.acquisitions], bands)
        parts.append(start_of(network, tokens, pixels[rows], days_of(period[0]), known[rows]))
    ids = torch.cat([part.pixels for part in parts])
    order = torch.argsort(ids)
    mean, factor = (torch.cat([getattr(p, n) for p in parts])[order] for n in ("mean", "factor"))
    return Start(parts[0].time, ids[order], mean, factor)


def beginning(assembly: Assembly, begun: Start) -> Callable[[Model], Model]:
    """What gives a model of this system the ensemble that a start tells of.

    Raises:
        InputError: the forecaster has no law of all of its latents in closed form.
    """
    if not hasattr(assembly.dynamics, "transition"):
        raise InputError(f"{WHERE}: the forecaster has no stationary law; leave the option out")
    _, covariance = assembly.dynamics.transition(math.inf)
    selection = assembly.layout.coordinates(torch.eye(len(covariance), dtype=torch.float64)).mT
    covariance = covariance.detach().cpu()

    def told(model: Model) -> Model:
        return replace(model, initial=Encoded(model.initial, begun, selection, covariance))

    return told


def cycle_start(
    document: Document,
    assembly: Assembly,
    root: Path,
    read: Callable[[Document], Series],
    device: torch.device,
    begun: bool,
) -> Callable[[], tuple[Callable[[Model], Model], list[Record]]]:
    """What gives the model of a service its initial ensemble, and records for its log.

    What is returned is called when the first acquisition is about to be assimilated. Until one is,
    what was seen before the period is looked at again by every call, as the inbox and the
    configuration may still change; from then on the start is the one of the run directory.

    Args:
        document: the configuration.
        assembly: the system on any pixels.
        root: the run directory.
        read: reads what the inbox holds of the days of a configuration.
        device: where tensors live while a block is worked on.
        begun: whether the run has ever assimilated an acquisition.

    Raises:
        InputError: an unknown option, an encoder or a forecaster that cannot be used, or a file of
            the run directory that is damaged.
    """
    wanted, path = wanted_of(document), root / START
    if wanted is None:
        return lambda: (lambda model: model, [])
    if begun and path.is_file():
        standing = beginning(assembly, read_start(path))
        return lambda: (standing, [])
    kept = encoder_for(document, wanted, assembly)
    unknown = Start(-math.inf, *nothing(assembly))
    beginning(assembly, unknown)  # a forecaster without a law is refused before anything is done

    def made() -> tuple[Callable[[Model], Model], list[Record]]:
        series, said = past_of(document, wanted, read)
        told = unknown
        if series is not None:
            told = start(document, series, kept, assembly.error, None, device)
            said += beyond_training(kept, series)
            said[0] |= {"pixels": len(told.pixels), "encoder_sha256": kept.digest}
        write_start(path, told)
        return beginning(assembly, told), said

    return made


def nothing(assembly: Assembly) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels, means and factors of a start that knows no pixel."""
    size = len(assembly.layout.names)
    none = torch.zeros((0, size, size))
    return torch.zeros(0, dtype=torch.int64), none[..., 0], none


def encoder_for(document: Document, wanted: Wanted, assembly: Assembly) -> Kept:
    """The encoder that the ensemble is drawn from.

    Raises:
        InputError: its file cannot be used, or it speaks of another state.
    """
    kept = encoder_at(document, f"{WHERE}.weights", wanted.weights)
    check_layout(kept, assembly.layout, f"{WHERE}.weights")
    return kept


def begun(
    document: Document, assembly: Assembly, device: torch.device, weather: Weather | None = None
) -> tuple[Assembly, list[Record]]:
    """The system with the initial ensemble that the configuration asks for, and records for a log.

    Raises:
        InputError: an unknown option, or an encoder that cannot be used.
    """
    wanted = wanted_of(document)
    if wanted is None:
        return assembly, []
    kept = encoder_for(document, wanted, assembly)
    series, said = past_of(document, wanted)
    rule = section(document, "score", score).withhold
    if series is not None and rule is not None:  # what is withheld takes no part in anything
        shown = rule.shown(series.acquisitions, series.channels)
        series = series._replace(acquisitions=shown) if shown else None
    if series is None:
        return assembly, said
    told = start(document, series, kept, assembly.error, weather, device)
    said += beyond_training(kept, series)
    said[0] |= {"pixels": len(told.pixels), "encoder": kept.name, "encoder_sha256": kept.digest}
    return replace(assembly, model=beginning(assembly, told)(assembly.model)), said
