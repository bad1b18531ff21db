"""A whole cycle of the system of land surfaces, on fake tensors of an accelerator.

A tensor left on the host, or a number that the host has to wait for, is an error there. A build of
torch without CUDA can not index fake tensors of CUDA; there `meta` is that device. What is known
before the run, such as the nodes of the quadrature, lies on the host and is copied once.
"""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from releo_da.assimilation import adaptive, etkf, huber, relaxed, screened, tuned
from releo_da.cycling.cycle import cycle
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.observation.error import ObservationError
from releo_da.observation.prosail import ProsailOperator
from releo_da.state.layout import Layout
from releo_da.state.variables import variables
from releo_da.types import Acquisition, Scheme, System

DEVICE = torch.device("cuda" if torch.backends.cuda.is_built() else "meta")
CHANNELS = {"sentinel2a": ("B03", "B04", "B08", "B11"), "landsat8": ("B4", "B5")}
KNOTS = (560.0, 665.0, 833.0, 1614.0)


def noise(shape: Sequence[int]) -> Tensor:
    return torch.empty(tuple(shape), device=DEVICE)


@pytest.mark.parametrize(
    "scheme",
    [screened(relaxed(etkf, 0.3)), adaptive(tuned(huber(etkf)))],
    ids=["screened", "estimated"],
)
def test_a_cycle_over_two_sensors_stays_on_its_device(scheme: Scheme) -> None:
    names = tuple(name for name in variables() if name != "ant")
    forecaster = MeanReverting(Layout(names, {"ant": 0.0}, True, KNOTS), 2).requires_grad_(False)
    layout = forecaster.layout
    operator = ProsailOperator(layout.decode, layout.residual, CHANNELS, KNOTS)
    quadrature = {s: rule.error for s, rule in operator.bands.quadratures.items()}
    error = ObservationError(CHANNELS, KNOTS, quadrature, 0.01).requires_grad_(False)
    with FakeTensorMode(allow_non_fake_inputs=True):
        forecaster.to(DEVICE)
        error.to(DEVICE)
        state = forecaster.initial(17_000.0, torch.arange(3), 8, noise)
        acquisitions = []
        for time, (sensor, channels) in zip((17_005.0, 17_010.0), CHANNELS.items(), strict=True):
            values = noise((3, len(channels)))
            seen = Acquisition(time, sensor, values, values, noise((3, 3)))
            acquisitions.append(error(seen))
        system = System(forecaster, operator, scheme)
        steps = list(cycle(state, acquisitions, system, lambda time, stage: noise))
    assert [step.predicted.shape for step in steps] == [(3, 8, 4), (3, 8, 2)]
    for step in steps:
        held = (step.analysis.ensemble, step.predicted, step.precision, step.acquisition.error)
        assert {t.device.type for t in (*held, *step.analysis.memory.values())} == {DEVICE.type}
