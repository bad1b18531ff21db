"""`releo-da train` with ``train: {target: encoder}``: pre-training by what is hidden.

Streams of series, batches with something hidden, steps, looks at validation series; then the scores
of the best weights on series for validation and for tests, the misfits that tell a series of
another kind, the weights, and a report. The directory holds a checkpoint after every look: the same
command in the same directory goes on from there, to the same bits. All randomness comes from the
seed of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from releo_da.config.checkpoint_file import Checkpoint, digest_of
from releo_da.config.document import Document
from releo_da.config.encoded import encoder_at
from releo_da.config.encoder_block import Block
from releo_da.config.encoder_error import REMEMBERED
from releo_da.config.encoder_report import write_encoder_report
from releo_da.config.encoder_section import Encoding, encoding
from releo_da.config.encoder_setting import Setting, batches, looked_at, setting_of
from releo_da.config.encoder_weights import PACKAGED, check_layout, write_encoder
from releo_da.config.fit_following import SERIES, refuse_other
from releo_da.config.observing import observation_of
from releo_da.config.options import Options
from releo_da.config.run_files import open_run, progress, run_root
from releo_da.config.sections import section
from releo_da.config.threads import one_thread
from releo_da.cycling.draws import generator
from releo_da.io import write_json
from releo_da.learning.batches import Seen
from releo_da.learning.checkpoints import checkpoint, restore
from releo_da.learning.pretraining import Look, Training, begun, pretrain
from releo_da.representation.domain import domain_of, misfit
from releo_da.representation.encoder import Encoder, in_blocks
from releo_da.representation.posterior import Posterior, prior_of
from releo_da.runs.encoder_scores import Parts, encoder_scores
from releo_da.sensors import labels
from releo_da.types import InputError


def command(document: Document, options: Options) -> Path:
    """Train an encoder and write its weights; returns their path."""
    how = sized(document, section(document, "train", encoding))
    seed, device = document.values.get("seed", 0), options.torch_device()
    with one_thread(device.type == "cpu"):
        setting = setting_of(document, how, device)
        training = started(document, setting, how, seed, device)
        file = Checkpoint(run_root(document, options, "train"), document)
        content = " ".join(stream.content for stream in setting.streams)
        resumed = went_on(file, training, content)
        root, log, made = open_run(document, options, "train", seed)
        aside = {s.name: s.validation() for s in setting.streams}
        blocks = {name: setting.complete(block) for name, block in aside.items()}
        if resumed:
            log.write({"kind": "resumed", "step": training.step})
        trained(document, options, setting, how, training, blocks, file, content, log.write)
        encoder = training.encoder
        assert isinstance(encoder, Encoder)
        encoder.requires_grad_(False)
        scored = {
            f"validation {name}": scores_of(setting, encoder, block, seed)
            for name, block in aside.items()
        }
        for stream in setting.tests:
            scored[f"test {stream.name}"] = scores_of(setting, encoder, stream.validation(), seed)
        domain = domain_of(misfits(setting, encoder, list(blocks.values())))
    best = training.best_look
    told = {
        "train": document.values["train"],
        "seed": seed,
        "version": made["version"],
        "torch": made["torch"],
        "configuration": digest_of(document),
        REMEMBERED: observation_of(document).representativeness,
        "steps": training.step,
        "best_step": best.step if best else 0,
    }
    write_encoder(root / PACKAGED, encoder, domain, told)
    write_json(
        root / "train.json",
        {**told, "looks": [look._asdict() for look in training.looks], "scores": scored,
         "domain": domain._asdict()},
    )  # fmt: skip
    write_encoder_report(root, made, training.looks, scored)
    return root / PACKAGED


def sized(document: Document, how: Encoding) -> Encoding:
    """How an encoder is trained, with the sizes of the weights that it begins with."""
    if how.start is None:
        return how
    return replace(how, sizes=encoder_at(document, "train.start", how.start).encoder.sizes)


def started(
    document: Document, setting: Setting, how: Encoding, seed: int, device: torch.device
) -> Training:
    """A training of which no step is done; its weights are given, or drawn by the seed.

    Raises:
        InputError: the weights that are given cannot be used, or speak of another state.
    """
    if how.start is not None:
        kept = encoder_at(document, "train.start", how.start)
        check_layout(kept, setting.layout, "train.start")
        return begun(kept.encoder.requires_grad_(True).to(device), how.schedule)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = Encoder(setting.layout.names, **how.sizes)
    return begun(encoder.to(device), how.schedule)


def went_on(file: Checkpoint, training: Training, content: str) -> bool:
    """Put a training where its checkpoint left it; says whether there was one.

    Raises:
        InputError: the checkpoint is damaged, or of another configuration or other series.
    """
    held = file.read()
    if held is None:
        return False
    refuse_other(file.path, held[1], content)
    try:
        restore(training, *held)
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from None
    return True


def trained(
    document: Document,
    options: Options,
    setting: Setting,
    how: Encoding,
    training: Training,
    blocks: Mapping[str, Seen],
    file: Checkpoint,
    content: str,
    write: Callable[[dict[str, Any]], None],
) -> None:
    """Train to the end, with a checkpoint and a line of the log after every look."""
    seed = document.values.get("seed", 0)
    like = next(iter(blocks.values())).acquisitions[0].values
    prior = prior_of(setting.layout.names, like, how.sizes["modes"])
    looks = max(1, (how.schedule.steps - training.step) // how.schedule.every)
    with progress(looks, "train", options.quiet) as tick:
        for look in pretrain(
            training,
            how.schedule,
            batches(setting, how, seed),
            looked_at(setting, how, blocks, seed),
            setting.operator,
            prior,
            seed,
            setting.margins,
        ):
            tensors, told = checkpoint(training)
            file.write(tensors, {**told, SERIES: content})
            write({"kind": "look", **look._asdict()})
            tick(told_of(look))


def told_of(look: Look) -> str:
    """A look in one line."""
    return f"step {look.step}, loss {look.train:.3f}, validation {look.validation:.3f}"


def parts_of(setting: Setting, encoder: Encoder) -> Parts:
    """What asks an encoder for scores."""
    place = setting.layout.names.index("lai")

    def leaf_area(q: Posterior, levels: Sequence[float]) -> Tensor:
        q = q.leading(len(setting.layout.names))
        return q.quantiles(levels, setting.layout.anamorphosis.decode)[..., place]

    return Parts(
        lambda tokens, times: in_blocks(encoder, tokens, times).joint,
        setting.tokens,
        setting.operator,
        setting.channels,
        labels(setting.channels),
        leaf_area,
    )


def scores_of(setting: Setting, encoder: Encoder, block: Block, seed: int) -> dict[str, Any]:
    """Scores of an encoder on a block."""
    series = setting.complete(block)
    prior = prior_of(setting.layout.names, series.acquisitions[0].values)
    return encoder_scores(
        parts_of(setting, encoder),
        series,
        block.truth.get("lai"),
        prior,
        generator(seed, 0, 0.0, "scores"),
    )


@torch.no_grad()
def misfits(setting: Setting, encoder: Encoder, blocks: Sequence[Seen]) -> Tensor:
    """Misfits of what an encoder saw of series that were held back from training, ``[value]``."""
    found = []
    for series in blocks:
        times = torch.tensor([a.time for a in series.acquisitions], dtype=torch.float64)
        q = in_blocks(encoder, setting.tokens(series.acquisitions), times).posterior
        for k, a in enumerate(series.acquisitions):
            predicted = setting.operator(q.mean[:, k, None], a)[:, 0]
            found.append(misfit(predicted, a)[a.seen.any(1)])
    return torch.cat(found)
