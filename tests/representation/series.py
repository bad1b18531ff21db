"""Series of two sensors and an encoder whose weights are drawn, for the tests of this folder."""

from __future__ import annotations

import torch

from releo_da.representation.encoder import Encoder
from releo_da.representation.tokens import Bands
from releo_da.types import Acquisition

NAMES = ("cab", "cw", "lai", "psoil")
BANDS: Bands = {
    "one": ([490.0, 560.0, 665.0, 842.0, 1610.0], [65.0, 36.0, 30.0, 96.0, 90.0]),
    "two": ([655.0, 865.0, 482.0], [37.0, 28.0, 60.0]),
}
START = 17000.5


def series(
    pixels: int = 70, dates: int = 21, seed: int = 0, dtype: torch.dtype = torch.float32
) -> list[Acquisition]:
    """Acquisitions of both sensors with clouds over a third of all values, hidden ones included."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for k in range(dates):
        sensor = "one" if k % 3 else "two"
        channels = len(BANDS[sensor][0])
        values = torch.rand((pixels, channels), generator=generator, dtype=dtype) * 0.5
        error = 0.01 + 0.02 * torch.rand((pixels, channels), generator=generator, dtype=dtype)
        cloud = torch.rand((pixels, 1), generator=generator) < 0.3
        gap = torch.rand((pixels, channels), generator=generator) < 0.1
        error = torch.where(cloud | gap, torch.inf, error)
        angles = torch.tensor([35.0, 6.0, 120.0], dtype=dtype).expand(pixels, 3)
        made.append(Acquisition(START + 4.7 * k, sensor, values, error, angles))
    return made


def drawn(seed: int = 1, dtype: torch.dtype = torch.float32, width: int = 64) -> Encoder:
    """An encoder with all of its weights drawn, the last layer's too."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        encoder = Encoder(NAMES, width=width)
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for layer in (encoder.hidden, encoder.head):
            layer.weight.copy_(0.3 * torch.randn_like(layer.weight))
    encoder = encoder.to(dtype)
    return encoder.requires_grad_(False).eval()


def asked(number: int = 9) -> torch.Tensor:
    """Dates from before the first to after the last acquisition."""
    return START - 10.0 + 13.7 * torch.arange(number, dtype=torch.float64)
