"""`releo-da embed`: a series becomes what an encoder says of it, as a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from releo_da.config.assemble import Assembly, assemble
from releo_da.config.auxiliary import weather_of
from releo_da.config.copies import check_table, copied
from releo_da.config.document import Document
from releo_da.config.encoded import bands_of, encoder_named
from releo_da.config.encoder_error import as_trained
from releo_da.config.encoder_range import beyond_training
from releo_da.config.encoder_weights import Kept, check_layout
from releo_da.config.hindcast import MEMBERS, SEED, attributes_of
from releo_da.config.maps import large_cubes, surveyed
from releo_da.config.options import Options
from releo_da.config.phenology import refuse_seasons
from releo_da.config.report import report
from releo_da.config.run_files import Opened, open_run, progress
from releo_da.config.sections import Products, product_times, products, section
from releo_da.config.sources import read_sources
from releo_da.cycling.draws import pieces
from releo_da.diagnostics.scores import Array
from releo_da.io import write_json, write_products
from releo_da.io.series import Series
from releo_da.runs.axis import PIXELS
from releo_da.runs.covariates import covariates
from releo_da.runs.embed import EVIDENCE, MISFIT, OUTSIDE, Embedding, embedded, layers_of
from releo_da.runs.hindcast import blocks
from releo_da.runs.model import on
from releo_da.runs.outputs import writing_outputs

WHERE = "state.encoder"

NO_CLIMATE = {
    "kind": "no_weather",
    "message": "no source names weather: the climate of the pixels is not known to the encoder",
}
"""What the log says where an encoder is told no climate."""


@dataclass
class Counts:
    """Sums over dates and pixels of what an encoder said, for scores.json."""

    number: int = 0
    evidence: float = 0.0
    near: int = 0
    misfit: float = 0.0
    outside: float = 0.0

    def add(self, found: Mapping[str, Array]) -> None:
        """Take what was said of a block."""
        evidence, misfit = found[EVIDENCE][0].astype(np.float64), found[MISFIT][0]
        here = np.isfinite(misfit)
        self.number += evidence.size
        self.evidence += float(evidence.sum())
        self.near += int(here.sum())
        self.misfit += float(misfit[here].astype(np.float64).sum())
        if OUTSIDE in found:
            self.outside += float(found[OUTSIDE][0][here].sum())

    def told(self, asked: Embedding, kept: Kept) -> dict[str, Any]:
        """The entry of scores.json."""
        inside = asked.domain is not None and self.near
        return {
            "dimensions": asked.encoder.sizes["width"],
            "encoder": kept.name,
            "encoder_sha256": kept.digest,
            "dates": len(asked.times),
            "evidence": self.evidence / max(self.number, 1),
            "misfit": self.misfit / self.near if self.near else None,
            "out_of_domain": self.outside / self.near if inside else None,
            "n": self.number,
        }


def command(document: Document, options: Options) -> Path:
    """Embed a series and write its run directory; returns the path of the report."""
    kept = encoder_named(document)
    series, parts = read(document, options.quiet)
    device = options.torch_device()
    weather, told = weather_of(document, series.pixels)
    told = told if weather is not None else [NO_CLIMATE]
    assembly = assemble(document, series.channels, device=device, weather=weather)
    check_layout(kept, assembly.layout, WHERE)
    refuse_seasons(
        document,
        "the dates of an embedding are told one by one and make no trajectories; remove it",
    )
    output = section(document, "products", products)
    times = product_times(document, series, output)
    asked = asked_of(document, assembly, kept, times, output)
    names = assembly.model.described
    check_table(document, output, series.pixels.sizes["pixel"], len(times), len(names))
    opened = open_run(document, options, "embed", asked.seed)
    channels = {"kind": "channels", "channels": series.channels}
    for record in [*series.log, *told, channels, *beyond_training(kept, series)]:
        opened.log.write(record)
    asked.encoder.to(device)
    pixels, counts = series.pixels, Counts()
    ids = pixels["id"].values
    path = opened.root / "analysis.nc"
    with (
        writing_outputs(
            path, times, pixels, names, attributes(opened, series, kept), layers_of(asked)
        ) as write,
        progress(len(pieces(torch.as_tensor(ids))), "embed", options.quiet) as tick,
    ):
        for part in parts():
            own = torch.as_tensor(part.pixels["id"].values)
            known = covariates(part.pixels, torch.zeros((), device=device), weather)
            for rows in blocks(own):
                some = [on(a, device, rows) for a in part.acquisitions]
                found = embedded(asked, some, own[rows], known[rows])
                counts.add(found)
                write(own[rows].numpy(), found)
                tick(f"{len(rows)} pixels")
    copied(path, output)
    write_products(opened.root / PIXELS, pixels)
    said = counts.told(asked, kept)
    write_json(opened.root / "scores.json", {"embedding": said, "seeds": [asked.seed]})
    opened.log.write({"kind": "finished", **said})
    return report(opened.root)


def read(document: Document, quiet: bool) -> tuple[Series, Callable[[], Iterator[Series]]]:
    """The series of a configuration, and its parts: one in memory, several of a large map.

    Of a large map the series holds a sample of the pixels, and all of the pixel axis.
    """
    cubes = large_cubes(document)
    if cubes:
        stream = surveyed(document, cubes, quiet)
        return stream.sample._replace(pixels=stream.pixels), stream.parts
    series = read_sources(document)
    return series, lambda: iter([series])


def asked_of(
    document: Document,
    assembly: Assembly,
    kept: Kept,
    times: list[float],
    output: Products,
) -> Embedding:
    """What a configuration asks of every block."""
    model, layout = assembly.model, assembly.layout
    biases = 0 if model.biases is None else len(model.biases)
    return Embedding(
        kept.encoder,
        kept.domain,
        as_trained(kept, assembly.error, model.channels),
        bands_of(model.channels),
        layout.anamorphosis.decode,
        model,
        layout.size + biases,
        tuple(times),
        output.every_days / 2.0,
        document.values.get("members", MEMBERS),
        document.values.get("seed", SEED),
    )


def attributes(opened: Opened, series: Series, kept: Kept) -> dict[str, str]:
    """Global attributes of the file."""
    return {
        **attributes_of(opened.made, series, "encoder"),
        "title": "embedding of satellite series, and land-surface variables read from it",
        "encoder": kept.name,
        "encoder_sha256": kept.digest,
        "comment": "Every date is told by acquisitions before and after it.",
    }
