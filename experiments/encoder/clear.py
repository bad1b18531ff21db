"""Withheld dates of the tests beside what was seen of them, and beside what a clear sky would show.

    python experiments/encoder/clear.py [WEIGHTS ...]

Haze, thin rims of cloud and clouds that the mask misses lower NDVI, mostly, and what predicts the
surface itself does not follow. So the withheld acquisitions are simulated again without them,
without noise and without errors of gain, over the same land at the same pixels and dates; what is
shown stays as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import torch

from releo_da.config.document import Document, load
from releo_da.config.encoder_block import Block
from releo_da.config.encoder_section import encoding
from releo_da.config.encoder_setting import setting_of
from releo_da.config.encoder_weights import encoder_of
from releo_da.config.encoding import scores_of
from releo_da.config.sections import section
from releo_da.runs.encoder_scores import withheld

HERE = Path(__file__).parent
CLEAR = {"noise": 0.0, "calibration": 0.0, "spectral": 0.0, "atmosphere": 0.0, "haze": 0.0}
SUFFIX = " under a clear sky"


def tests() -> Document:
    """The configuration with each test beside itself under a clear sky, and little to train on."""
    document = load(HERE / "config.yaml")
    train = document.values["train"]
    train["series"] = {"covers": train["series"]["covers"]}
    for name, entry in dict(train["test"]).items():
        clear = deepcopy(entry)
        clear["source"]["twin"] |= {"instrument": CLEAR, "cloud": {"undetected": 0.0, "edges": 0.0}}
        train["test"][name + SUFFIX] = clear
    return document


def cleared(block: Block, clear: Block) -> Block:
    """A block whose withheld acquisitions have the values of a clear sky where they were seen."""
    those = {(a.sensor, a.time): a.values for a in clear.seen.acquisitions}
    all_of = block.seen.acquisitions
    mixed = [
        a._replace(values=torch.where(a.seen, those[a.sensor, a.time], a.values)) if gone else a
        for a, gone in zip(all_of, withheld(len(all_of)), strict=True)
    ]
    return Block(block.seen._replace(acquisitions=mixed), block.truth)


def main(weights: Sequence[str]) -> None:
    """Prints a row per file of weights and test."""
    document = tests()
    setting = setting_of(document, section(document, "train", encoding), torch.device("cpu"))
    blocks = {stream.name: stream.validation() for stream in setting.tests}
    columns = [f"{m}, {w}" for w in ("seen", "clear") for m in ("encoder", "lines")]
    print("| weights, test |", " | ".join(f"{c}: RMSE, bias" for c in columns), "|")
    for given in weights or ["default"]:
        encoder = encoder_of("clear", given).encoder
        for name in [n for n in blocks if not n.endswith(SUFFIX)]:
            both = blocks[name], cleared(blocks[name], blocks[name + SUFFIX])
            for what in ("ndvi", "channels"):
                rows = [scores_of(setting, encoder, block, 0)[what] for block in both]
                told = [row[method] for row in rows for method in ("encoder", "linear")]
                cells = [f"{r['rmse']:.4f}, {r['bias']:+.4f}" for r in told]
                print(f"| {given}, {name}, {what} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main(sys.argv[1:])
