"""Each channel of Sentinel-2 hidden in turn: what the encoder, and on a twin the filter, say of it.

    python experiments/hidden_channels/measure.py encoder         winter crops near Toulouse
    python experiments/hidden_channels/measure.py twin            crops of WOFOST, both; with
                                                                  --no-filter the encoder alone

The filter near Toulouse is `./run experiment hidden_channels`. A hidden channel is hidden on every
date. The encoder's posterior given the other channels goes through the canopy model; the interval
of a value holds the spread of that and R. The line by the other channels and the mean have seen the
channel: in 2017 at the points of four folds, on the twin at other fields in years of tuning.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from releo_da.config import hindcast
from releo_da.config.assemble import Assembly, assemble
from releo_da.config.document import Document, load
from releo_da.config.encoded import bands_of
from releo_da.config.encoder_error import as_trained
from releo_da.config.encoder_weights import Kept, encoder_of
from releo_da.config.options import Options
from releo_da.config.simulated import simulated
from releo_da.config.sources import read_sources
from releo_da.config.study_parts import subset
from releo_da.config.table_text import markdown
from releo_da.config.twin_pixels import pixels_of
from releo_da.config.twin_setting import prepared
from releo_da.config.twin_source import channels_of
from releo_da.diagnostics.scores import summarise_gaussian
from releo_da.diagnostics.verification import summaries
from releo_da.io.series import Series
from releo_da.learning.prediction import simplex
from releo_da.representation.discrepancy import Discrepancy
from releo_da.representation.encoder import in_blocks
from releo_da.representation.tokens import tokens_of
from releo_da.runs.baselines import MEAN, OTHERS, rows, said, tables
from releo_da.runs.folds import clusters, folds
from releo_da.runs.withhold import WithholdChannel, columns
from releo_da.types import Acquisition

HERE = Path(__file__).resolve().parent
CPU = torch.device("cpu")
Row = dict[str, float]


def channels(series: Series) -> tuple[str, ...]:
    """The channels of Sentinel-2, which both satellites have."""
    return next(iter(series.channels.values()))


@torch.no_grad()
def by_encoder(kept: Kept, own: Assembly, series: Series, channel: str) -> Row:
    """What an encoder says of a channel that is hidden on every date.

    Args:
        kept: the encoder.
        own: a system with its state, whose operator predicts.
        series: instrument errors only.
        channel: its label.
    """
    names, bands = kept.encoder.names, bands_of(series.channels)
    error = as_trained(kept, own.error, series.channels)
    complete = [error(a) for a in series.acquisitions if bool(a.seen.any())]
    shown = WithholdChannel(channel).shown(complete, series.channels)
    times = torch.tensor([a.time for a in complete], dtype=torch.float64)
    q = in_blocks(kept.encoder, tokens_of(shown, bands), times).joint
    points = simplex(len(times), q.mean.shape[-1], torch.Generator().manual_seed(0)).to(q.mean)

    def exact(z: torch.Tensor, acquisition: Acquisition) -> torch.Tensor:
        whole = torch.nn.functional.pad(z, (0, own.layout.size - len(names)))
        return own.model.observe(whole, acquisition)

    observe = Discrepancy(exact, bands, len(names))
    values, means, deviations = [], [], []
    for k, a in enumerate(complete):
        use = a.seen & columns(channel, series.channels, a)
        predicted = observe(q.mean[:, k, None] + points[k] @ q.factor[:, k].mT, a)
        variance = predicted.var(1) + torch.where(a.seen, a.error, 0.0).square()
        values.append(a.values[use])
        means.append(predicted.mean(1)[use])
        deviations.append(variance.sqrt()[use])
    told = [torch.cat(part).double().numpy() for part in (values, means, deviations)]
    return {**summarise_gaussian(*told), "level": float(told[0].mean())}


def rivals(training: Series, scored: Series, channel: str, until: float = np.inf) -> dict[str, Row]:
    """The line by the other channels and the mean, fitted on a training part up to a day."""
    past = [a for a in training.acquisitions if a.time <= until]
    held = WithholdChannel(channel).held(scored.acquisitions, scored.channels)
    none = np.zeros_like(held["smoothed"].hidden)
    told = rows(
        said(
            tables(past, training.channels),
            tables(scored.acquisitions, scored.channels),
            held,
            (),
            none,
        )
    )
    return {name: told[name]["smoothed"][channel] for name in (OTHERS, MEAN)}


def table(found: dict[str, dict[str, Row]]) -> str:
    """Markdown: a line per channel, of each method error, share of reflectance and coverage."""
    methods = list(next(iter(found.values())))
    body = []
    for channel, told in found.items():
        level = next(row["level"] for row in told.values() if "level" in row)
        line = [channel, f"{level:.3f}"]
        for name in methods:
            row = told[name]
            line += [f"{row['rmse']:.4f}", f"{100 * row['rmse'] / level:.0f} %"]
            if "coverage_90" in row:
                line += [f"{row['bias']:+.4f}", f"{row['coverage_90']:.2f}"]
            line.append(f"{row['crps']:.4f}")
        body.append(line)
    head = ["hidden", "mean reflectance"]
    for name in methods:
        more = ["bias", "90 % coverage"] if name in ("encoder", "filter") else []
        title = name.replace("_", " ")
        head += [f"{title}: RMSE", "of it", *more, "CRPS"]
    return markdown(head, body)


def near_toulouse(kept: Kept) -> str:
    """The encoder on the points of the first fold."""
    document = load(HERE / "config.yaml")
    series = read_sources(document)
    fold = folds(clusters(*(series.pixels[n].values for n in ("lon", "lat")), 250.0), 5)
    training, scored = (subset(series, np.flatnonzero(part)) for part in (fold != 0, fold == 0))
    own = assemble(load(HERE / "config.yaml"), series.channels)
    until = float((np.datetime64("2018-01-01") - np.datetime64("1970-01-01")).astype(int))
    found = {}
    for channel in channels(series):
        told = by_encoder(kept, own, scored, channel)
        found[channel] = {"encoder": told, **rivals(training, scored, channel, until)}
    return table(found)


def on_twin(kept: Kept, seeds: Sequence[int], both: bool) -> str:
    """Encoder, and filter, on lands of WOFOST in test years; figures are means over the seeds."""
    each: list[dict[str, dict[str, Row]]] = []
    for seed in seeds:
        document = load(HERE / "twin.yaml", [f"seed={seed}"])
        ready = prepared(document, CPU)
        seen = ready.simulate(ready.pixels).acquisitions
        series = Series(seen, pixels_of(ready.made.shape), [], channels_of(ready.made))
        tuning = [f"seed={seed}", "source.twin.nature={name: wofost, years: tuning}"]
        training = simulated(load(HERE / "twin.yaml", tuning), Options(quiet=True))
        own = assemble(load(HERE / "twin.yaml", ["state=prosail"]), series.channels)
        found = {}
        for channel in channels(series):
            told = {"encoder": by_encoder(kept, own, series, channel)}
            if both:
                told["filter"] = by_filter(document, ready.ours, series, channel)
            found[channel] = {**told, **rivals(training, series, channel)}
        each.append(found)
    return table(averaged(each))


def by_filter(document: Document, ours: Assembly, series: Series, channel: str) -> Row:
    """What the filter says of a hidden channel, having seen the others of its acquisition."""
    score = {"withhold": {"channel": channel}}
    asked = replace(document, values={**document.values, "score": score})
    outcome = hindcast.run(asked, series, ours, Options(quiet=True))
    return summaries(outcome.verification, "filtered")[channel]


def averaged(each: Sequence[dict[str, dict[str, Row]]]) -> dict[str, dict[str, Row]]:
    """Means over seeds of figures by channel and method."""
    return {
        channel: {
            method: {k: float(np.mean([e[channel][method][k] for e in each])) for k in row}
            for method, row in told.items()
        }
        for channel, told in each[0].items()
    }


def main() -> None:
    """Print the table that is asked for."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["encoder", "twin"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[20, 21])
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--no-filter", action="store_true")
    asked = parser.parse_args()
    kept = encoder_of("--encoder", asked.encoder)
    if asked.what == "encoder":
        print(near_toulouse(kept))
    else:
        print(on_twin(kept, asked.seeds, not asked.no_filter))


if __name__ == "__main__":
    main()
