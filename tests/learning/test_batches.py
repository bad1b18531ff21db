"""Batches: what is shown and what is asked are apart, and follow from the generator alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from releo_da.learning.batches import Cut, Seen, cut
from releo_da.learning.hiding import Hiding
from releo_da.learning.prediction import Batch
from releo_da.types import Acquisition

PIXELS = 6


def series() -> Seen:
    """Forty acquisitions; pixel p at date k saw 100 p + k in two channels, or a cloud."""
    found, latents = [], []
    for k in range(40):
        values = 100.0 * torch.arange(PIXELS)[:, None] + k + torch.zeros(PIXELS, 2)
        error = torch.full_like(values, 0.1)
        error[k % PIXELS] = torch.inf
        found.append(Acquisition(10.0 * k, "ab"[k % 2], values, error, torch.zeros(PIXELS, 3)))
        latents.append(values * 2.0)
    return Seen(found, latents)


def made(seed: int, **how: int | tuple[float, float]) -> Batch:
    def tokens(acquisitions: Sequence[Acquisition]) -> list[Acquisition]:
        return list(acquisitions)

    return cut(
        series(),
        Cut(**{"pixels": 4, "dates": 5, "days": (50.0, 120.0), **how}),
        Hiding(),
        tokens,
        torch.Generator().manual_seed(seed),
    )


def test_what_is_asked_was_seen_and_is_not_shown() -> None:
    asked = 0
    for seed in range(20):
        batch = made(seed)
        shown = {a.time: a for a in batch.tokens}
        assert batch.times.tolist() == [a.time for a in batch.targets] == sorted(batch.times)
        assert len(batch.targets) <= 5 and len(batch.targets[0].values) == 4
        for target in batch.targets:
            assert not (target.seen & shown[target.time].seen).any()
            assert not target.values[~target.seen].any()
            asked += int(target.seen.sum())
        span = max(shown) - min(shown)
        assert span <= 120.0
    assert asked > 200


def test_latents_are_those_of_pixel_and_date() -> None:
    batch = made(3)
    assert batch.latents is not None
    for k, target in enumerate(batch.targets):
        seen = target.seen
        torch.testing.assert_close(batch.latents[:, k][seen], 2.0 * target.values[seen])


def test_a_batch_follows_from_its_generator() -> None:
    one, same, other = made(1), made(1), made(2)
    for a, b in zip(one.targets, same.targets, strict=True):
        assert a.time == b.time and torch.equal(a.values, b.values)
        assert torch.equal(a.error, b.error)
    assert one.times.tolist() != other.times.tolist()


def test_a_window_in_a_gap_becomes_the_whole_series() -> None:
    two = Seen([series().acquisitions[0], series().acquisitions[-1]])
    batch = cut(
        two,
        Cut(pixels=9, dates=9, days=(1.0, 1.0)),
        Hiding(),
        list,
        torch.Generator().manual_seed(0),
    )
    assert len(batch.tokens) in (1, 2) and batch.latents is None
    assert len(batch.targets[0].values) == PIXELS


def test_errors_are_told_larger_or_smaller_than_they_are_judged() -> None:
    factors = []
    for seed in range(12):
        batch = made(seed, told=(0.5, 2.0))
        told = torch.cat([a.error[a.seen] for a in batch.tokens])
        assert float(told.max() - told.min()) < 1e-6
        judged = torch.cat([a.error[a.seen] for a in batch.targets])
        assert torch.equal(judged, torch.full_like(judged, 0.1))
        factors.append(float(told[0]) / 0.1)
    assert 0.5 <= min(factors) < 0.9 and 1.2 < max(factors) <= 2.0
    assert float(made(0, told=(1.0, 1.0)).tokens[0].error.min()) == pytest.approx(0.1)


def test_fields_of_a_place_are_unknown_to_some_pixels() -> None:
    north = torch.arange(float(PIXELS))

    def statics(pixels: int, fields: Mapping[str, Tensor], like: Tensor) -> Tensor:
        assert pixels == 4 and set(fields) == {"latitude"}
        return fields["latitude"]

    known = 0
    for seed in range(12):
        source = torch.Generator().manual_seed(seed)
        how = Cut(4, 5, (50.0, 120.0))
        seen = series()._replace(place={"latitude": north})
        batch = cut(seen, how, Hiding(), lambda a: list(a), source, statics)
        shown = batch.statics.isfinite()
        both = [a.values[:, 0] for a in (*batch.tokens, *batch.targets)]
        pixel = torch.stack(both).max(0).values // 100
        assert torch.equal(batch.statics[shown], pixel[shown])
        known += int(shown.sum())
    assert 10 < known < 38
    assert made(0).statics is None
