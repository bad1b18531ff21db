"""What a cycling run depends on: its one source, and the settings that its states were made with.

What the results depend on is recorded with the cycles, and a change of it is refused unless it is
asked for, because a state must not silently become that of another system.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from releo_da import __version__
from releo_da.config.document import Document
from releo_da.config.encoded import encoder_at
from releo_da.config.health import deciding
from releo_da.config.hindcast import MEMBERS, SEED
from releo_da.config.initial import WHERE, wanted_of
from releo_da.config.sensor_paths import sensor_files
from releo_da.config.sources import OPENERS
from releo_da.config.weight_paths import weights_at
from releo_da.cycling.ledger import Ledger
from releo_da.diagnostics.alarms import Rules
from releo_da.io.archive import plain
from releo_da.io.by_date import ByDate
from releo_da.io.names import listed
from releo_da.io.series import Series
from releo_da.io.state_rows import StateHead
from releo_da.runs.model import Model
from releo_da.runs.turn import prior
from releo_da.types import InputError

DECIDING = ("seed", "members", "period", "source", "state", "forecast", "observe", "analyse")
"""Keys of a configuration that the states depend on."""

LATENTS = "latents"
"""Key of the settings that holds what each latent of a state is."""

AXIS = ("channels", "values")
"""Options of a source whose order is that of the channels, in copies and in latents of biases."""


def source_of(document: Document) -> dict[str, Any]:
    """The one source of a cycling run, without its path.

    Raises:
        InputError: there are several, or none.
    """
    source = document.require("source")
    entries = source if isinstance(source, list) else [source]
    if len(entries) != 1 or not isinstance(entries[0], dict):
        raise InputError(
            f"{document.path}: source: a cycling run reads its inbox by one source, got "
            f"{len(entries)}; keep the one that describes the files of the inbox"
        )
    return {key: value for key, value in entries[0].items() if key != "path"}


def configured_channels(source: Mapping[str, Any], where: str) -> dict[str, tuple[str, ...]]:
    """For each sensor that a source may deliver, its channels."""
    sensor, channels = source.get("sensor"), source.get("channels")
    if channels is None and isinstance(source.get("values"), Mapping):
        channels = source["values"]  # a variable for each channel
    if not isinstance(channels, Mapping) or not channels:
        raise InputError(f"{where}: needs 'channels', {{name: name in the file}}")
    if isinstance(sensor, Mapping):
        names = sorted({str(name) for key, name in sensor.items() if key != "from"})
    else:
        names = [str(sensor)]
    return {name: tuple(map(str, channels)) for name in names}


def reader_of(document: Document, source: Mapping[str, Any]) -> Callable[[Path], Series | ByDate]:
    """A function that reads a file of the inbox, or opens it; the options are checked now."""
    provided = {"period": document.period}

    def bound(path: Path) -> partial[Any]:
        return OPENERS.bind({**source, "path": str(path)}, "source[0]", provided)

    bound(document.path)
    return lambda path: bound(document.permitted(path))()


def settings_of(
    document: Document, source: Mapping[str, Any], rules: Rules, device: str
) -> dict[str, Any]:
    """What the states of a run depend on, as plain values."""
    said = {key: document.values.get(key) for key in DECIDING} | {"health": deciding(rules)}
    said |= {"seed": document.values.get("seed", SEED), "source": source}
    said["members"] = document.values.get("members", MEMBERS)
    files = sensor_files(document)
    if files:
        said["sensors"] = {n: hashlib.sha256(f.read_bytes()).hexdigest() for n, f in files.items()}
    path = weights_at(document, "forecast.weights")
    if path is not None:
        said["weights"] = hashlib.sha256(path.read_bytes()).hexdigest()
        said["forecast"] = {k: v for k, v in document.values["forecast"].items() if k != "weights"}
    path = weights_at(document, "observe.weights")
    if path is not None:
        said["emulator"] = hashlib.sha256(path.read_bytes()).hexdigest()
        said["observe"] = {k: v for k, v in document.values["observe"].items() if k != "weights"}
    wanted = wanted_of(document)
    if wanted is not None:
        said["initial"] = encoder_at(document, f"{WHERE}.weights", wanted.weights).digest
    said |= {"version": __version__, "torch": str(torch.__version__), "device": device}
    said["source"] = {k: ordered(v) if k in AXIS else v for k, v in said["source"].items()}
    said |= {key: ordered(said[key]) for key in ("state", "observe")}
    made: dict[str, Any] = json.loads(json.dumps(plain(said)))
    return made


def ordered(value: Any) -> Any:
    """Mappings as lists of pairs: a change of their order is a change."""
    if isinstance(value, Mapping):
        return [[key, ordered(part)] for key, part in value.items()]
    return [ordered(part) for part in value] if isinstance(value, list) else value


def channel_axis(source: Mapping[str, Any]) -> list[str]:
    """Names along the channel axis, of a source as `settings_of` tells it."""
    held: list[Any] = next((source[key] for key in AXIS if isinstance(source.get(key), list)), [])
    return [str(name) for name, _ in held]


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which settings differ, in one line; what latents are follows from the others."""
    keys = sorted(k for k in {*before, *now} - {LATENTS} if before.get(k) != now.get(k))
    return "; ".join(f"{k} was {before.get(k)}, is {now.get(k)}" for k in keys)


def other_latents(was: Sequence[str], now: Sequence[str]) -> str:
    """In what the latents of two states differ, in words; nothing where they are the same."""
    if list(was) == list(now):
        return ""
    lost = [name for name in was if name not in now]
    new = [name for name in now if name not in was]
    if not (lost or new):
        return "their latents come in another order"
    told = [f"they hold {listed(lost)}"] if lost else []
    told += [f"the configuration has {listed(new)}"] if new else []
    return ", ".join(told)


def guard(root: Path, ledger: Ledger, settings: dict[str, Any], accept: bool) -> bool:
    """Whether what the coming cycles depend on is to be recorded, as it is new or another.

    Raises:
        InputError: it differs from what acquisitions were accepted with, and the change was not
            asked for, or is one of the channels or their order, along which copies and latents of
            biases lie, or of what the latents are.
    """
    before = ledger.settings()
    if before is not None:
        before = {LATENTS: settings.get(LATENTS), **before}  # of a ledger that does not tell them
    if before == settings:
        return False
    if before is not None and ledger.known() and accept:
        was, now = (channel_axis(said["source"]) for said in (before, settings))
        if was != now:
            raise InputError(
                f"{root}: the channels were {', '.join(was)} in this order and are "
                f"{', '.join(now)}; copies of acquisitions and states lie along them, so that no "
                "run goes on with others: undo the change, or give another --out"
            )
        differ = other_latents(before[LATENTS] or (), settings.get(LATENTS) or ())
        if differ:
            raise InputError(
                f"{root}: the states are of another kind: {differ}; no run goes on from them with "
                "this forecaster or its weights: undo the change, or give another --out"
            )
    if before is not None and ledger.known() and not accept:
        raise InputError(
            f"{root}: the run was made otherwise ({changes(before, settings)}); undo the change, "
            "give another --out, or go on from the last state with --set cycle.accept_changes=true"
        )
    return True


def fits(root: Path, model: Model, state: StateHead | None, members: int) -> None:
    """Refuse to go on from a state of another size.

    Raises:
        InputError: members or latents differ.
    """
    if state is None:
        return
    first = prior(model, state.time, state.pixels[:1], members, 0)(torch.arange(1))
    wanted = first.ensemble.shape[1:]
    if state.shape[1:] != wanted:
        raise InputError(
            f"{root}: the last state has [member, latent] = {list(state.shape[1:])}, the "
            f"configuration wants {list(wanted)}; give another --out"
        )
