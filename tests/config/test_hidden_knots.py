"""Where residuals live if a channel is hidden: it has none of its own that nothing would tell."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from releo_da.config.assemble import assemble, knots_of
from releo_da.config.document import load
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.types import Acquisition

S2 = ("B02", "B03", "B04", "B05", "B8A", "B11")
CHANNELS = {"sentinel2a": S2, "sentinel2b": S2}


def without(*hidden: str) -> dict[str, tuple[str, ...]]:
    return {sensor: tuple(n for n in own if n not in hidden) for sensor, own in CHANNELS.items()}


def test_a_hidden_band_has_a_knot_only_where_all_others_are_far() -> None:
    blue, green, red, edge, infrared, short = knots_of(CHANNELS)
    assert knots_of(CHANNELS, CHANNELS) == (blue, green, red, edge, infrared, short)
    assert knots_of(CHANNELS, without("B04")) == (blue, green, edge, infrared, short)
    assert knots_of(CHANNELS, without("B11")) == (blue, green, red, edge, infrared, short)
    assert knots_of({"sentinel2a": S2}, {}) == knots_of(CHANNELS)  # nothing is seen at all


@pytest.mark.parametrize("hidden", ["", "B04"])
def test_what_is_learned_of_its_neighbour_is_said_of_a_hidden_channel(
    tmp_path: Path, hidden: str
) -> None:
    """The mean residual of the red edge moves red where red is hidden, and there only."""
    path = tmp_path / "c.yaml"
    score = {"withhold": {"channel": hidden}} if hidden else {}
    path.write_text(yaml.safe_dump({"state": "prosail", "score": score}))
    own = assemble(load(path), CHANNELS)
    angles = torch.tensor([[40.0, 5.0, 100.0]], dtype=torch.float64)
    empty = torch.zeros(1, len(S2), dtype=torch.float64)
    acquisition = Acquisition(0.0, "sentinel2a", empty, empty + 0.01, angles)
    forecaster = own.forecaster
    assert isinstance(forecaster, MeanReverting)

    def told() -> torch.Tensor:
        mean = forecaster.mean(0.0).detach()
        return own.model.observe(mean[None, None], acquisition)[0, 0]

    before = told()
    edge = min(own.layout.knots, key=lambda knot: abs(knot - 704.0))
    forecaster.residual_mean.data[own.layout.knots.index(edge)] += 0.02
    moved = {name for name, by in zip(S2, told() - before, strict=True) if float(by) > 0.019}
    assert moved == ({"B05", "B04"} if hidden else {"B05"})
