"""Tokens: one order whatever the order of the series, duplicates once, hidden values nowhere."""

from __future__ import annotations

import random

import pytest
import torch

from releo_da.representation.tokens import Tokens, no_tokens, tokens_of
from releo_da.types import Acquisition, InputError

from .series import BANDS, series


def same(one: Tokens, other: Tokens) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def permuted(acquisition: Acquisition, order: list[int]) -> Acquisition:
    return acquisition._replace(
        values=acquisition.values[:, order], error=acquisition.error[:, order]
    )


def test_order_and_duplicates_change_nothing() -> None:
    given = series(pixels=5)
    shuffled = [*given, *given[2:6]]
    random.Random(0).shuffle(shuffled)
    assert same(tokens_of(shuffled, BANDS), tokens_of(given, BANDS))


def test_the_order_of_channels_changes_nothing() -> None:
    given, order = series(pixels=5), [3, 0, 4, 2, 1]
    bands = {**BANDS, "one": tuple([row[k] for k in order] for row in BANDS["one"])}
    other = [permuted(a, order) if a.sensor == "one" else a for a in given]
    assert same(tokens_of(other, bands), tokens_of(given, BANDS))


def test_two_channels_of_one_wavelength_are_told_by_what_they_say() -> None:
    bands = {"one": ([665.0, 665.0], [30.0, 30.0])}
    given = [permuted(a, [0, 1]) for a in series(pixels=4) if a.sensor == "one"]
    turned = [permuted(a, [1, 0]) for a in given]
    assert same(tokens_of(turned, bands), tokens_of(given, bands))


def test_two_products_of_one_pass_are_both_there_in_one_order() -> None:
    first, *_ = series(pixels=4)
    other = first._replace(values=first.values + 0.01)
    tokens = tokens_of([first, other], BANDS)
    assert tokens.value.shape[1] == 2
    assert same(tokens_of([other, first, first], BANDS), tokens)


def test_what_is_hidden_is_not_in_the_tokens() -> None:
    """A value withheld for scoring keeps its value in the series, and infinite error."""
    given = series(pixels=6)
    assert any(bool((a.values[~a.seen] > 0).any()) for a in given)
    tokens = tokens_of(given, BANDS)
    assert bool((tokens.value[~tokens.seen] == 0).all())
    masked = [a._replace(values=torch.where(a.seen, a.values, 0.7)) for a in given]
    assert same(tokens_of(masked, BANDS), tokens)


def test_channels_without_a_wavelength_are_no_tokens() -> None:
    given = [a for a in series(pixels=6) if a.sensor == "two"]
    bands = {"two": ([655.0, float("nan"), 482.0], [37.0, float("nan"), 60.0])}
    tokens = tokens_of(given, bands)
    assert tokens.wavelength.tolist() == [[482.0, 655.0]] * len(given)
    assert torch.equal(tokens.value[:, 0, 1], torch.where(given[0].seen, given[0].values, 0)[:, 0])


def test_tokens_of_nothing() -> None:
    tokens = no_tokens(3, torch.zeros(1))
    assert tokens.value.shape == (3, 0, 0)
    assert tokens.time.shape == (0,)
    with pytest.raises(ValueError, match="no_tokens"):
        tokens_of([], BANDS)


def test_a_sensor_without_wavelengths_is_refused() -> None:
    given = series(pixels=2, dates=3)
    with pytest.raises(InputError, match="'one' are given; give those of two"):
        tokens_of(given, {"two": BANDS["two"]})
    with pytest.raises(InputError, match="'two': 2 wavelengths and 2 widths for 3 channels"):
        tokens_of(given, {**BANDS, "two": ([655.0, 865.0], [30.0, 30.0])})
