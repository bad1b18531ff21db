"""`releo-da cycle`: a document becomes a service over an inbox; what it depends on is guarded.

The source of a hindcast says how a file is read; in a cycling run its ``path`` is each file of the
inbox in turn. What the results depend on is recorded with the cycles, and a change of it is refused
unless it is asked for, because a state must not silently become that of another system.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from releo_da import __version__
from releo_da.config.assemble import assemble
from releo_da.config.document import Document
from releo_da.config.hindcast import MEMBERS, SEED
from releo_da.config.innovations import of_sensors, record
from releo_da.config.nested_paths import with_files
from releo_da.config.options import Options
from releo_da.config.report import report
from releo_da.config.run_files import emulator_of, open_run, run_root, weights_of
from releo_da.config.schemes import refuse_windows
from releo_da.config.sections import days, products, section
from releo_da.config.sensor_paths import sensor_files, with_paths
from releo_da.config.sources import READERS
from releo_da.cycling.ledger import Ledger
from releo_da.diagnostics.streaming import row, total
from releo_da.io import create_run_directory, write_json
from releo_da.io.archive import plain
from releo_da.io.inbox import arrived, folder_and_pattern
from releo_da.io.lock import locked
from releo_da.io.series import Series
from releo_da.io.state_rows import StateHead, reading_state
from releo_da.io.times import isoformat
from releo_da.runs.cycle import Service, Swept
from releo_da.runs.hindcast import blocks
from releo_da.runs.judged import reasons_in_all, restored
from releo_da.runs.model import Model
from releo_da.runs.stopping import stopping, wait
from releo_da.runs.store import Store
from releo_da.runs.turn import prior
from releo_da.state.bias import moments, rows_of
from releo_da.types import InputError

LEDGER = "ledger.sqlite"
FOLDERS = ("figures", "products", "states", "acquisitions")
DECIDING = ("seed", "members", "period", "source", "state", "forecast", "observe", "analyse")
"""Keys of a configuration that the states depend on."""


@dataclass(frozen=True)
class Cycling:
    """Where acquisitions arrive, how often one looks, and how late they may be."""

    inbox: str
    poll_seconds: float
    replay_days: float
    thin_days: float
    accept_changes: bool


def cycle(
    inbox: str,
    poll_seconds: float = 60.0,
    replay_days: float = 10.0,
    thin_days: float = 30.0,
    accept_changes: bool = False,
) -> Cycling:
    """Where acquisitions arrive.

    Args:
        inbox: a folder, or a glob such as ``inbox/*.nc``.
        poll_seconds: how often a service that keeps running looks into it.
        replay_days: how far before the latest acquisition one may lie that arrives late; what came
            after it is then assimilated again.
        thin_days: time between the states that are kept from before that window.
        accept_changes: go on from the last state with another configuration, version or weights.
    """
    if not poll_seconds > 0:
        raise InputError(f"cycle.poll_seconds is {poll_seconds}; give a positive number of seconds")
    if not 0.0 <= replay_days < float("inf"):
        raise InputError(f"cycle.replay_days is {replay_days}; give a number of days, 0 for none")
    if not thin_days > 0.0:
        raise InputError(f"cycle.thin_days is {thin_days}; give a positive number of days")
    return Cycling(inbox, float(poll_seconds), float(replay_days), float(thin_days), accept_changes)


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


def reader_of(document: Document, source: Mapping[str, Any]) -> Callable[[Path], Series]:
    """A function that reads a file of the inbox; the options are checked now."""
    provided = {"period": document.period}

    def bound(path: Path) -> partial[Any]:
        return READERS.bind({**source, "path": str(path)}, "source[0]", provided)

    bound(document.path)
    return lambda path: bound(document.permitted(path))()


def settings_of(document: Document, source: Mapping[str, Any], device: str) -> dict[str, Any]:
    """What the states of a run depend on, as plain values."""
    said = {key: document.values.get(key) for key in DECIDING}
    said |= {"seed": document.values.get("seed", SEED), "source": source}
    said["members"] = document.values.get("members", MEMBERS)
    files = sensor_files(document)
    if files:
        said["sensors"] = {n: hashlib.sha256(f.read_bytes()).hexdigest() for n, f in files.items()}
    path = weights_of(document)
    if path is not None:
        said["weights"] = hashlib.sha256(path.read_bytes()).hexdigest()
        said["forecast"] = {k: v for k, v in document.values["forecast"].items() if k != "weights"}
    path = emulator_of(document)
    if path is not None:
        said["emulator"] = hashlib.sha256(path.read_bytes()).hexdigest()
        said["observe"] = {k: v for k, v in document.values["observe"].items() if k != "weights"}
    said |= {"version": __version__, "torch": str(torch.__version__), "device": device}
    made: dict[str, Any] = json.loads(json.dumps(plain(said)))
    return made


def guard(root: Path, ledger: Ledger, settings: dict[str, Any], accept: bool) -> None:
    """Record what the coming cycles depend on.

    Raises:
        InputError: it differs from that of the last cycle and the change was not asked for.
    """
    before = ledger.settings()
    if before == settings:
        return
    if before is not None and ledger.last() is not None and not accept:
        keys = sorted(k for k in {*before, *settings} if before.get(k) != settings.get(k))
        told = "; ".join(f"{k} was {before.get(k)}, is {settings.get(k)}" for k in keys)
        raise InputError(
            f"{root}: the run was made otherwise ({told}); undo the change, give another --out, "
            "or go on from the last state with --set cycle.accept_changes=true"
        )
    ledger.accept(settings)


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


def command(
    document: Document,
    options: Options,
    once: bool,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> Path | None:
    """Run the service; returns the path of the report, or None where nothing was assimilated.

    Args:
        document: the configuration.
        options: where, and on which device.
        once: one sweep instead of a service.
        say: told of every sweep.
        warn: told of every file that was refused, also by a quiet command.

    Raises:
        BlockingIOError: another process holds the run directory.
        InputError: the configuration is wrong, it has windows, or no file of a first sweep is
            readable.
    """
    wanted = section(document, "cycle", cycle)
    root = run_root(document, options, "cycle")
    with service_of(document, options, root) as service, stopping() as stop:
        refused = serve(service, wanted.poll_seconds, once, stop, say, warn)
        store = service.store
    if store.state is None and refused:
        raise InputError(
            f"no file of the inbox {wanted.inbox} can be read ({len(refused)} refused); the first: "
            f"{refused[0]}"
        )
    return None if store.state is None else root / "report.html"


def checked_source(document: Document) -> dict[str, Any]:
    """The source of a cycling run, of a configuration that a service can run.

    Raises:
        InputError: it has windows, copies of products, or not one source.
    """
    refuse_windows(document)
    copies = section(document, "products", products).copies
    if copies:
        raise InputError(
            f"{document.path}: products.format: a cycling run writes netCDF only, as a product and "
            f"its state are committed together; remove {', '.join(copies)}"
        )
    return source_of(document)


@contextmanager
def service_of(
    document: Document,
    options: Options,
    root: Path,
    seen: Callable[[Series, Path], Series] = lambda series, path: series,
) -> Iterator[Service]:
    """The service of a configuration in a run directory, which is locked for as long.

    Args:
        document: the configuration.
        options: where, and on which device.
        root: the run directory; made where the configuration is sound.
        seen: is given every file that was read and its path, and says how it goes on; an error of
            it refuses the file.

    Raises:
        BlockingIOError: another process holds the run directory.
        InputError: the configuration is wrong, or another than that of the run.
    """
    wanted, source = section(document, "cycle", cycle), checked_source(document)
    folder, pattern = folder_and_pattern(wanted.inbox)
    inbox, device = document.resolve(folder), options.torch_device()
    settings = settings_of(document, source, device.type)
    source = with_files(document, with_paths(document, source), inbox)
    channels = configured_channels(source, f"{document.path}: source[0]")
    read = reader_of(document, source)
    model = assemble(document, channels, device=device).model
    create_run_directory(root, FOLDERS)
    with locked(root), Ledger(root / LEDGER) as ledger:
        guard(root, ledger, settings, wanted.accept_changes)
        _, log, made = open_run(document, options, "cycle", settings["seed"])
        log.write({"kind": "channels", "channels": channels})
        store = Store(root, ledger, model.described, _attributes(made))
        fits(root, model, store.state, settings["members"])
        yield Service(
            model=model,
            seed=settings["seed"],
            members=settings["members"],
            start=None if document.period is None else days(document.period[0]),
            inbox=lambda: arrived(inbox, pattern),
            read=lambda path: seen(read(path), path),
            reader=json.dumps([settings[key] for key in ("source", "period", "version")]),
            store=store,
            log=log,
            record=record,
            device=device,
            replay_days=wanted.replay_days,
            thin_days=wanted.thin_days,
        )


def serve(
    service: Service,
    poll_seconds: float,
    once: bool,
    stop: Callable[[], bool],
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> list[str]:
    """Sweep and publish, once or until asked to end; returns what the last sweep refused."""
    while True:
        swept = service.sweep(stop)
        say(_told(swept, service.store))
        for error in swept.refused:
            warn(f"releo-da: refused: {' '.join(error.split())}")
        last = service.ledger.last()
        if last is not None and published(service.store.root) != last.sha256:
            publish(service)
        if once or stop():
            return swept.refused
        wait(poll_seconds, stop)


def _attributes(made: Mapping[str, Any]) -> dict[str, str]:
    """Global attributes of products; no times of writing, so that equal runs are equal files."""
    return {
        "title": "land-surface variables by assimilation of satellite reflectances",
        "source": f"releo_da {made['version']} {made['commit'] or ''}".strip(),
        "estimate": "analysis",
    }


def _told(swept: Swept, store: Store) -> str:
    """A line about a sweep, and one for each file without a clear pixel."""
    where = "no state yet" if store.state is None else f"state of {isoformat(store.state.time)}"
    again = f", {swept.undone} cycles undone before" if swept.undone else ""
    lines = [f"{swept.assimilated} acquisitions assimilated{again}, {where}"]
    return "\n".join(lines + swept.empty)


def published(root: Path) -> str | None:
    """Checksum of the state that scores.json and the report stand for; None without them."""
    if not (root / "report.html").is_file() or not (root / "scores.json").is_file():
        return None
    found = json.loads((root / "scores.json").read_text(encoding="utf-8"))
    return str(found.get("state_sha256"))


def publish(service: Service) -> Path:
    """scores.json and report of the cycles so far; returns the path of the report."""
    write_json(service.store.root / "scores.json", scores_of(service))
    return report(service.store.root)


def scores_of(service: Service) -> dict[str, Any]:
    """scores.json of the cycles so far, of which there is one at least."""
    model, state = service.model, service.store.state
    cycles = list(service.ledger.cycles())
    said = [one.scores for one in cycles]
    judged = [restored(s["innovations"], k) for k, s in enumerate(said) if "innovations" in s]
    rejected: dict[str, int] = {}
    for scores in said:
        for name, count in scores["rejected"].items():
            rejected[name] = rejected.get(name, 0) + count
    background = {name: row(terms) for name, terms in total([s["sums"] for s in said]).items()}
    found = {
        "background": background,
        "rejected": rejected,
        "rejected_by_reason": reasons_in_all(judged),
        "innovations": of_sensors(judged, [one.arrival for one in cycles], model.labels),
        "diverged": sum(s["diverged"] for s in said),
        "cycles": len(said),
        "state_sha256": cycles[-1].sha256,
        "seeds": [service.seed],
    }
    if model.biases is not None and state is not None:
        with reading_state(state.path) as held:
            parts = [moments(model.biases, held.take(r).ensemble) for r in blocks(state.pixels)]
        means, variances = (torch.cat(part) for part in zip(*parts, strict=True))
        found["biases"] = rows_of(model.biases, means, variances)
    return found
