"""On the device and in the number type that were asked for, results are those of the CPU.

`./run test --device cuda` runs these on an accelerator; noise is drawn on the CPU for both. Under
the default, `--device cpu` in float64, they say that nothing hides in a global state.
"""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from releo_da.observation.prosail import ProsailOperator
from releo_da.state.layout import Layout
from releo_da.state.variables import variables
from releo_da.types import Acquisition, Noise

LAND = ("B02", "B03", "B04", "B08", "B8A", "B11")
TOLERANCE = {torch.float64: 1e-8, torch.float32: 2e-3}


def noise_on(device: torch.device, dtype: torch.dtype) -> Noise:
    rng = torch.Generator().manual_seed(3)

    def noise(shape: Sequence[int]) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64).to(device, dtype)

    return noise


@pytest.mark.needs("device")
def test_an_analysis_is_that_of_the_cpu(case, device: torch.device, dtype: torch.dtype) -> None:
    draw = noise_on(torch.device("cpu"), torch.float64)
    prior, h, y = draw((3, 16, 4)), draw((4, 5)), draw((3, 5))
    precision = torch.tensor([1.0, 4.0, 0.0, 0.5, 1.0], dtype=torch.float64).expand(3, 5)
    found = []
    for where, kind in ((torch.device("cpu"), torch.float64), (device, dtype)):
        x, matrix, seen, weight = (t.to(where, kind) for t in (prior, h, y, precision))

        def observe(members: Tensor, matrix: Tensor = matrix) -> Tensor:
            return torch.tanh(0.3 * members @ matrix)

        analysis = case.scheme(x, observe, seen, weight, noise_on(where, kind), {})
        assert analysis.ensemble.device.type == where.type
        assert analysis.ensemble.dtype == kind
        found.append(analysis.ensemble.double().cpu())
    torch.testing.assert_close(*found, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_the_operator_is_that_of_the_cpu(device: torch.device, dtype: torch.dtype) -> None:
    layout = Layout(tuple(n for n in variables() if n != "ant"), {"ant": 0.0}, False)
    operator = ProsailOperator(layout.decode, layout.residual, {"sentinel2a": LAND})
    z = noise_on(torch.device("cpu"), torch.float64)((4, 8, layout.size))
    angles = torch.tensor(
        [[20.0, 2.0, 10.0], [35.0, 9.0, 90.0], [50.0, 4.0, 170.0], [65.0, 11.0, 45.0]]
    )
    found = []
    for where, kind in ((torch.device("cpu"), torch.float64), (device, dtype)):
        nothing = torch.zeros(4, len(LAND), dtype=kind, device=where)
        geometry = angles.to(where, kind)
        acquisition = Acquisition(0.0, "sentinel2a", nothing, nothing + 0.01, geometry)
        latents = z.to(where, kind).requires_grad_()
        seen = operator(latents, acquisition)
        assert seen.device.type == where.type
        (slope,) = torch.autograd.grad(seen.sum(), latents)
        found.append(torch.stack([seen.double().cpu().sum(-1), slope.double().cpu().sum(-1)]))
    torch.testing.assert_close(*found, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
