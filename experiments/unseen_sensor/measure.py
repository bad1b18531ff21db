"""Leaf area from fewer, other and irregular acquisitions, on twins whose truth is known.

    python experiments/unseen_sensor/measure.py filter FITS    fitted with and without Landsat
    python experiments/unseen_sensor/measure.py dates [FITS]   all dates, half and a quarter of them
    python experiments/unseen_sensor/measure.py start          a first ensemble told by an encoder
    python experiments/unseen_sensor/measure.py sensors [NAMES] single sensors, also never trained
                                                      on; with --no-filter the encoder alone
    python experiments/unseen_sensor/measure.py encoder A B .. encoders, shown Landsat alone

A land is simulated once per seed, seen by all satellites; a variant takes some of its acquisitions.
Estimates and truth are compared at the same dates, whatever was seen of them. `FITS` is a directory
with the weights of `README.md`; A, B and so on are encoders. ``--seeds 20 21 22`` are the lands.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from releo_da.config.assemble import assemble
from releo_da.config.document import load
from releo_da.config.encoded import bands_of
from releo_da.config.encoder_error import as_trained
from releo_da.config.encoder_weights import Kept, encoder_of
from releo_da.config.table_text import markdown
from releo_da.config.twin_past import split
from releo_da.config.twin_setting import Prepared, prepared
from releo_da.cycling.cycle import cycle
from releo_da.diagnostics.repeats import interval_of_ratios
from releo_da.diagnostics.scores import Array, interval, summarise
from releo_da.representation.encoder import in_blocks
from releo_da.representation.tokens import tokens_of
from releo_da.runs.acquire import Nature
from releo_da.runs.model import Model
from releo_da.runs.timeline import merged, requests, where_seen
from releo_da.types import Acquisition

HERE = Path(__file__).resolve().parent
CPU = torch.device("cpu")
LEVELS = tuple((k + 0.5) / 64 for k in range(64))
"""Quantiles that stand for the members of an encoder's posterior."""

Choose = Callable[[Acquisition, int], bool]
"""``choose(acquisition, number)``: whether a variant takes an acquisition."""


class Land(NamedTuple):
    """A twin experiment, its truth, and what all satellites saw of it before and in the period."""

    ready: Prepared
    nature: Nature
    before: list[Acquisition]

    @property
    def truth(self) -> Array:
        """Leaf area at the dates that are asked for, ``[pixel, date]``."""
        states = [self.nature.states[t] for t in self.ready.task.asked]
        each = [self.nature.truth.decode(s)["lai"][:, 0] for s in states]
        return torch.stack(each, 1).numpy().astype(float)


def land(config: str, seed: int, *settings: str) -> Land:
    """The land of a configuration and a seed, simulated."""
    ready = prepared(load(HERE / config, [f"seed={seed}", *settings]), CPU)
    nature = ready.simulate(ready.pixels)
    before, nature = split(nature, ready.task.start)
    return Land(ready, nature, before)


def taken(acquisitions: Sequence[Acquisition], choose: Choose) -> list[Acquisition]:
    """The acquisitions of a variant; numbers count those that saw something."""
    seen = [a for a in acquisitions if bool(a.seen.any())]
    return [a for k, a in enumerate(seen) if choose(a, k)]


def of(*names: str) -> Choose:
    """Acquisitions of sensors whose names begin so."""
    return lambda a, k: a.sensor.startswith(names)


def every(step: int) -> Choose:
    """Every so-manieth acquisition."""
    return lambda a, k: k % step == 0


@torch.no_grad()
def filtered(
    one: Land, model: Model, acquisitions: Sequence[Acquisition], start: float | None = None
) -> Array:
    """Leaf area of the filter at the dates that are asked for, ``[pixel, date, member]``.

    Args:
        one: the land.
        model: the system.
        acquisitions: that are assimilated, instrument errors only.
        start: of the first ensemble (days); that of the land unless given.
    """
    task, pixels = one.ready.task, one.ready.pixels
    start = task.start if start is None else start
    complete = [model.error(a) for a in acquisitions]
    draws = model.draws(task.seed, pixels, complete[0].values)
    state = model.initial(start, pixels, task.members, draws(start, "initial"))
    system = model.system._replace(observe=where_seen(model.observe))
    timeline = merged(complete, requests(task.asked, complete))
    found = [
        model.derive(step.analysis.ensemble, step.acquisition.angles)["lai"].numpy()
        for step in cycle(state, timeline, system, draws, model.initial)
        if not step.acquisition.sensor
    ]
    return np.stack(found, 1).astype(float)


@torch.no_grad()
def encoded(kept: Kept, one: Land, acquisitions: Sequence[Acquisition]) -> Array:
    """Leaf area as an encoder tells it of a whole series, ``[pixel, date, quantile]``."""
    channels = one.ready.ours.model.channels
    assembly = assemble(load(HERE / "start.yaml"), channels)
    place, decode = kept.encoder.names.index("lai"), assembly.layout.anamorphosis.decode
    complete = as_trained(kept, assembly.error, channels)
    tokens = tokens_of([complete(a) for a in acquisitions], bands_of(channels))
    times = torch.tensor(one.ready.task.asked, dtype=torch.float64)
    q = in_blocks(kept.encoder, tokens, times).posterior
    return q.quantiles(LEVELS, decode)[..., place].permute(1, 2, 0).numpy().astype(float)


def fitted(one: Land, name: str, weights: Path | None = None) -> Model:
    """The system of a land with a forecaster and its weights."""
    forecast = f"forecast={{name: {name}, kernel: matern32+ou, residual_sd: 0.03}}"
    document = load(HERE / "filter.yaml", [forecast])
    return assemble(document, one.ready.ours.model.channels, weights).model


Row = dict[str, float]


def row(members: Array, truth: Array, dates: Iterable[int] | None = None) -> Row:
    """Scores of leaf area, with the mean width of 90 % intervals, over pixels and dates."""
    chosen = slice(None) if dates is None else list(dates)
    flat = members[:, chosen].reshape(-1, members.shape[-1])
    low, high = interval(flat)
    scores = summarise(truth[:, chosen].ravel(), flat)
    return scores | {"width": float(np.mean(high - low))}


def table(found: dict[str, list[Row]], rivals: dict[str, str], key: str = "rmse") -> str:
    """Markdown: a line per variant, means over seeds, and ratios to a rival seed by seed.

    Args:
        found: rows of the seeds by variant.
        rivals: for some variants the one that it is compared with.
        key: of the score that is compared.
    """
    body = []
    for name, rows in found.items():
        shown = [
            np.mean([r[k] for r in rows]) for k in ("rmse", "bias", "crps", "coverage_90", "width")
        ]
        line = [name, *(f"{v:.{d}f}" for v, d in zip(shown, (3, 2, 3, 2, 2), strict=True)), ""]
        if name in rivals:
            pairs = zip(rows, found[rivals[name]], strict=True)
            ratios = [a[key] / b[key] for a, b in pairs]
            ratio, low, high = interval_of_ratios(ratios)
            line[-1] = f"{ratio:.2f} [{low:.2f}, {high:.2f}]"
        body.append(line)
    head = ["", "RMSE", "bias", "CRPS", "90 % coverage", "width of 90 %", f"{key} against"]
    return markdown(head, body)


LANDSAT, SENTINEL = of("landsat"), of("sentinel2")
FORECASTERS = ("mean_reverting", "neural")
Found = dict[str, list[Row]]


def weights(fits: Path, name: str, what: str) -> Path:
    """The file of a fit."""
    return fits / f"fit-{name}-{what}" / "weights.safetensors"


def of_filter(seeds: Sequence[int], fits: Path) -> str:
    """Landsat alone in the filter, of systems that were fitted with it, without it, or not."""
    found: Found = {}
    rivals = {}
    for seed in seeds:
        one = land("filter.yaml", seed)
        some = taken(one.nature.acquisitions, LANDSAT)
        for name in FORECASTERS:
            for what in ("with", "without", "not fitted"):
                path = None if what == "not fitted" else weights(fits, name, what)
                members = filtered(one, fitted(one, name, path), some)
                label = f"{name}, {what}" + (" Landsat" if path else "")
                found.setdefault(label, []).append(row(members, one.truth))
            rivals[f"{name}, without Landsat"] = f"{name}, with Landsat"
    return table(found, rivals)


def of_dates(seeds: Sequence[int], fits: Sequence[Path], kept: Kept) -> str:
    """All dates, every second, every fourth; Sentinel-2 alone, Landsat alone.

    Of the encoder, and where ``fits`` has a directory, of both forecasters.
    """
    variants: dict[str, Choose] = {
        "all dates": every(1), "1/2": every(2), "1/4": every(4), "Sentinel-2 alone": SENTINEL,
        "Landsat alone": LANDSAT,
    }  # fmt: skip
    found: Found = {}
    rivals = {}
    for seed in seeds:
        one = land("filter.yaml", seed)
        for what, choose in variants.items():
            some = taken(one.nature.acquisitions, choose)
            told = {"encoder": encoded(kept, one, some)}
            for name in FORECASTERS if fits else ():
                told[name] = filtered(one, fitted(one, name, weights(fits[0], name, "with")), some)
            for name, members in told.items():
                found.setdefault(f"{name}, {what}", []).append(row(members, one.truth))
                if what != "all dates":
                    rivals[f"{name}, {what}"] = f"{name}, all dates"
    return table(dict(sorted(found.items())), rivals)


def of_start(seeds: Sequence[int], weights: str) -> str:
    """The first days of a filter that starts in the middle of a season, by its first ensemble."""
    found: Found = {}
    rivals = {}
    for seed in seeds:
        one = land("start.yaml", seed, f"forecast.initial.weights={weights}")
        ready, here = one.ready, one.nature.acquisitions
        assert ready.past is not None
        told = ready.past.begun(ready.ours, one.before, ready.pixels)(ready.ours.model)
        earlier = ready.task.start - 60.0
        starts = {
            "prior of the forecaster": filtered(one, ready.ours.model, here),
            "encoder, 60 days before": filtered(one, told, here),
            "filter, 60 days before": filtered(
                one, ready.ours.model, [*one.before, *here], earlier
            ),
        }
        for length in (10, 30, 60):
            dates = [k for k, t in enumerate(ready.task.asked) if t < ready.task.start + length]
            for name, members in starts.items():
                label = f"first {length} days, {name}"
                found.setdefault(label, []).append(row(members, one.truth, dates))
                if name != "prior of the forecaster":
                    rivals[label] = f"first {length} days, prior of the forecaster"
    return table(
        dict(sorted(found.items(), key=lambda pair: int(pair[0].split()[1]))), rivals, "crps"
    )


SINGLE = {
    "sentinel2a": "trained on", "landsat8": "trained on", "modis_terra": "trained on",
    "superdove": "trained on", "sentinel2c": "never", "landsat5": "never", "landsat7": "never",
    "modis_aqua": "never", "venus": "never", "prisma": "never", "enmap": "never",
}  # fmt: skip
"""Sensors of the catalogue, and whether the packaged encoder was trained on them."""


def of_sensors(seeds: Sequence[int], sensors: Sequence[str], kept: Kept, both: bool) -> str:
    """One sensor at a time, every eight days under one view: the encoder, and the filter."""
    found: Found = {}
    rivals = {}
    for seed in seeds:
        for sensor in sensors:
            known = SINGLE[sensor]
            look = f"[{{sensor: {sensor}, every_days: 8}}]"
            one = land("filter.yaml", seed, f"source.twin.satellites={look}")
            some = taken(one.nature.acquisitions, every(1))
            told = {"encoder": encoded(kept, one, some)}
            if both:
                told["filter"] = filtered(one, one.ready.ours.model, some)
            for name, members in told.items():
                label = f"{name}, {sensor}" + (f" ({known})" if name == "encoder" else "")
                found.setdefault(label, []).append(row(members, one.truth))
                if sensor != "sentinel2a":
                    first = f"{name}, sentinel2a"
                    rivals[label] = first + (" (trained on)" if name == "encoder" else "")
    return table(dict(sorted(found.items())), rivals)


LANDS = {
    "WOFOST": (),
    "AquaCrop Brussels": (
        "source.twin.nature={name: aquacrop, climate: brussels, years: test}",
        "source.twin.place=[4.5, 50.9]",
        "period=[2023-01-01, 2023-12-31]",
    ),
}
"""Natures in test years, as settings of ``filter.yaml``."""


def of_encoder(seeds: Sequence[int], files: Sequence[Path]) -> str:
    """Short trainings shown one family of satellites; the first one named is compared with.

    A training is known by its folder, ``NAME-SEED``: rows are of a name, means over its seeds.
    """
    found: Found = {}
    rivals = {}
    names = [path.parent.name.rpartition("-")[0] for path in files]
    trained = list(zip(names, (encoder_of("encoder", path) for path in files), strict=True))
    for name, settings in LANDS.items():
        for seed in seeds:
            one = land("filter.yaml", seed, *settings)
            for what, choose in (("Landsat", LANDSAT), ("Sentinel-2", SENTINEL)):
                some = taken(one.nature.acquisitions, choose)
                for training, kept in trained:
                    label = f"{name}, {what} alone, trained {training}"
                    members = encoded(kept, one, some)
                    found.setdefault(label, []).append(row(members, one.truth))
                    if training != names[0]:
                        rivals[label] = f"{name}, {what} alone, trained {names[0]}"
    return table(found, rivals)


def main() -> None:
    """Print the table that is asked for."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["filter", "dates", "start", "sensors", "encoder"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seeds", nargs="*", type=int, default=[20, 21, 22])
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--no-filter", action="store_true")
    asked = parser.parse_args()
    seeds = asked.seeds
    tables: dict[str, Callable[[], str]] = {
        "filter": lambda: of_filter(seeds, asked.files[0]),
        "dates": lambda: of_dates(seeds, asked.files, encoder_of("--encoder", asked.encoder)),
        "start": lambda: of_start(seeds, asked.encoder),
        "sensors": lambda: of_sensors(
            seeds,
            [str(name) for name in asked.files] or list(SINGLE),
            encoder_of("--encoder", asked.encoder),
            not asked.no_filter,
        ),
        "encoder": lambda: of_encoder(seeds, asked.files),
    }
    print(tables[asked.what]())


if __name__ == "__main__":
    main()
