"""States that say where their pixels lie, for schemes that look at what is near."""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.neighbours import BLOCK as OWN
from releo_da.assimilation.neighbours import PLACE
from releo_da.cycling.draws import BLOCK
from releo_da.cycling.fields import Places
from releo_da.cycling.recovery import Prior
from releo_da.types import Noise, State


def placed(initial: Prior, places: Places) -> Prior:
    """An initial ensemble whose memory holds the place and the block of each pixel.

    Args:
        initial: draws the ensemble before any observation.
        places: of ids.
    """

    def prior(time: float, pixels: Tensor, members: int, noise: Noise) -> State:
        state = initial(time, pixels, members, noise)
        device = state.ensemble.device
        block = torch.div(pixels, BLOCK, rounding_mode="floor").to(device)
        held = {PLACE: places(pixels).to(device), OWN: block}
        return state._replace(memory={**state.memory, **held})

    return prior
