"""Randomness depends on seed, pixel, time and stage, and on nothing else."""

import pytest
import torch

from releo_da.cycling.draws import BLOCK, block_draws, pieces

LIKE = torch.zeros(())


def _numbers(pixels, seed=3, time=17.5, stage="forecast", members=4):
    pixels = torch.as_tensor(pixels)
    return block_draws(seed, pixels, LIKE)(time, stage)((len(pixels), members, 2))


def test_a_pixel_draws_the_same_in_any_company_and_order():
    whole = _numbers(range(600))
    some = [599, 3, 256, 255, 400]
    assert torch.equal(_numbers(some), whole[some])


@pytest.mark.parametrize("other", [{"seed": 4}, {"time": 17.25}, {"stage": "analysis"}])
def test_another_seed_time_or_stage_draws_other_numbers(other):
    assert not torch.equal(_numbers(range(5)), _numbers(range(5), **other))


def test_blocks_draw_independently():
    drawn = _numbers(range(512), members=64)
    correlation = torch.corrcoef(torch.stack([drawn[:256].flatten(), drawn[256:].flatten()]))
    assert correlation[0, 1].abs() < 4 / drawn[:256].numel() ** 0.5


def test_wrong_number_of_pixels_is_refused():
    with pytest.raises(ValueError, match="drawn for 3 pixels"):
        block_draws(0, torch.arange(3), LIKE)(0.0, "forecast")((4, 2))


@pytest.mark.parametrize("share", [1.0, 0.4, 0.02, 0.002])
def test_pieces_are_whole_blocks_and_as_many_as_fit(share):
    drawn = torch.rand(50_000, generator=torch.Generator().manual_seed(0))
    ids = (drawn < share).nonzero()[:, 0]
    ends = pieces(ids)
    inside = torch.bucketize(ids, ends, right=True)
    sizes = torch.bincount(inside)
    assert sizes.max() <= BLOCK and sizes.min() > 0
    assert (ends % BLOCK == 0).all()
    for piece in range(len(ends) - 1):
        following = ids[inside == piece + 1]
        next_block = (following // BLOCK == following[0] // BLOCK).sum()
        assert sizes[piece] + next_block > BLOCK
        later = ids[ids >= ends[piece]]
        assert torch.equal(pieces(later), ends[piece + 1 :])


def test_pieces_of_few_and_of_unordered_pixels():
    assert len(pieces(torch.empty(0, dtype=torch.int64))) == 0
    assert pieces(torch.tensor([99_999, 3, 700])).tolist() == [100_096]
    assert pieces(torch.arange(600).flip(0)).tolist() == [256, 512, 768]
