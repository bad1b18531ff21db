"""Randomness depends on seed, pixel, time and stage, and on nothing else."""

import pytest
import torch

from releo_da.cycling.draws import block_draws

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
