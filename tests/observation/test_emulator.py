"""The packaged emulator against the canopy model: errors, their estimate, gradients, any sensor."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from releo_da.config.emulator_weights import packaged
from releo_da.observation.canopies import ANGLES, spectra
from releo_da.observation.draws import draw, limits
from releo_da.observation.emulated import EmulatedBands
from releo_da.observation.emulator import Emulator
from releo_da.observation.error import ObservationError
from releo_da.observation.features import FEATURES, features
from releo_da.observation.held_out import POPULATIONS, emulated, population, scores
from releo_da.observation.prosail import NodeBands, ProsailOperator
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import VARIABLES
from releo_da.sensors import load_sensor
from releo_da.state.layout import Layout
from releo_da.state.prior import prior_ensemble
from releo_da.state.variables import variables
from releo_da.types import Acquisition, InputError

S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
LAYOUT = Layout(tuple(n for n in variables() if n != "ant"), {"ant": 0.0}, False)


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    return packaged()


@pytest.fixture(scope="module")
def land() -> Tensor:
    sensor = load_sensor("sentinel2a")
    return sensor.response[list(sensor.index(S2))]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def canopies(inputs: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[Tensor]]:
    return {name: inputs[name] for name in VARIABLES}, [inputs[a] for a in ANGLES]


def test_the_ranges_hold_those_of_the_state() -> None:
    for name, known in variables().items():
        lower, upper = limits()[name]
        assert lower <= known.lower
        assert upper >= known.upper
    for name, values in draw(2000, seeded(0)).items():
        lower, upper = limits()[name]
        assert lower <= float(values.min()) < lower + 0.05 * (upper - lower)
        assert upper >= float(values.max()) > upper - 0.05 * (upper - lower)


@pytest.mark.parametrize("name", POPULATIONS)
def test_errors_on_fresh_draws_are_within_the_promise(
    name: str, emulator: Emulator, land: Tensor
) -> None:
    found = scores(emulator, population(name, 4000, seeded(77)), land)
    assert max(found["rms"]) <= 0.003
    assert max(found["p99_9"]) <= 0.02


def test_the_stated_error_is_that_of_fresh_draws(emulator: Emulator, land: Tensor) -> None:
    """Draws as those it was estimated on, and more of them: both means vary as the squares do."""
    number, estimated_on = 8000, 20_000
    inputs = draw(number, seeded(78))
    exact = spectra(inputs, load_optics()).double() @ land.T
    square = (emulated(emulator, inputs, land).double() - exact).square()
    stated = emulator.band_error(land).square()
    doubt = square.std(0) * (1 / number + 1 / estimated_on) ** 0.5
    assert ((square.mean(0) - stated).abs() <= 4 * doubt).all()
    # The bound of the emulator's own module: nothing is left out, and little is added.
    assert 0.8 < float((square.mean(0).sum() / stated.sum()).sqrt()) < 1.25


def sensor_file(folder: Path) -> Path:
    """A sensor that nothing was made for: 30 Gaussian bands of 8 nm."""
    rows = [f"  N{k}: {{centre: {450 + 55 * k}, width: 8}}" for k in range(30)]
    path = folder / "new.yaml"
    head = "source: made for a test\nnoise: {additive: 0.005, multiplicative: 0.02}\nchannels:"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_a_sensor_that_is_new_to_it_is_a_matrix_product(tmp_path: Path, emulator: Emulator) -> None:
    sensor = load_sensor(str(sensor_file(tmp_path)))
    inputs = draw(3000, seeded(79))
    found = torch.tensor(scores(emulator, inputs, sensor.response)["rms"])
    assert found.max() <= 0.003
    ratio = found / emulator.band_error(sensor.response)
    assert ratio.min() > 0.75
    assert ratio.max() < 1.2
    # Its bands are those of its own spectrum.
    some = {name: value[:20] for name, value in inputs.items()}
    whole = emulator.bands(*_given(some), emulator.head(torch.eye(2101)))
    bands = emulator.bands(*_given(some), emulator.head(sensor.response))
    torch.testing.assert_close(bands, whole @ sensor.response.T.float(), atol=2e-6, rtol=1e-5)


def _given(inputs: dict[str, Tensor]) -> tuple:
    table, angles = canopies(inputs)
    return table, *angles


def ensemble(pixels: int, members: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = seeded(3)

    def noise(shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return prior_ensemble(pixels, members, LAYOUT.names, noise).to(dtype)


def passes(sensor: str, channels: int, angles: list[list[float]]) -> Acquisition:
    values = torch.full((len(angles), channels), 0.2, dtype=torch.float64)
    geometry = torch.tensor(angles, dtype=torch.float64)
    return Acquisition(0.0, sensor, values, torch.full_like(values, 0.01), geometry)


ORDINARY = [[25.0, 3.0, 20.0], [45.0, 8.0, 100.0], [62.0, 11.0, 170.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_those_of_the_canopy_model(emulator: Emulator, dtype: torch.dtype) -> None:
    names = {"sentinel2a": S2}
    pass_, z = passes("sentinel2a", len(S2), ORDINARY), ensemble(3, 100, dtype)
    direction = torch.randn((3, 100, len(S2)), generator=seeded(5), dtype=torch.float64).to(dtype)
    gradients = []
    for bands in (EmulatedBands(names, emulator), NodeBands(names)):
        operator = ProsailOperator(LAYOUT.decode, LAYOUT.residual, names, (), bands)
        latents = z.clone().requires_grad_()
        predicted = operator(latents, pass_)
        assert predicted.dtype == dtype
        gradients.append(torch.autograd.grad((predicted * direction).sum(), latents)[0])
    ours, theirs = gradients
    assert ours.isfinite().all()
    # Of each variable: the slope of one on the other, and what the line leaves.
    slope = (ours * theirs).sum((0, 1)) / theirs.square().sum((0, 1))
    rest = (ours - theirs).square().sum((0, 1)) / theirs.square().sum((0, 1))
    assert slope.min() > 0.9
    assert slope.max() < 1.1
    # Carotenoids matter least to a spectrum and are the least well followed.
    assert rest.max() < 0.1
    assert rest.sort().values[:-1].max() < 0.01


def test_gradients_are_finite_at_every_edge(emulator: Emulator, land: Tensor) -> None:
    edges = limits()
    corners = torch.randint(0, 2, (256, len(edges)), generator=seeded(9)).bool()
    inputs = {
        name: torch.where(corners[:, k], upper, lower).requires_grad_()
        for k, (name, (lower, upper)) in enumerate(edges.items())
    }
    inputs["tts"], inputs["tto"] = inputs["tto"].detach(), inputs["tto"].detach()  # hot spot at 0
    inputs["psi"] = inputs["psi"].detach()
    table, angles = canopies(inputs)
    bands = emulator.bands(table, *angles, emulator.head(land))
    found = torch.autograd.grad(bands.sum(), list(table.values()))
    assert all(g.isfinite().all() for g in found)


def test_how_a_batch_is_cut_does_not_matter(emulator: Emulator, land: Tensor) -> None:
    head = emulator.head(land)
    table, angles = canopies(draw(6144, seeded(4)))
    table = {name: value.reshape(48, 128) for name, value in table.items()}
    angles = [a.reshape(48, 128)[:, :1] for a in angles]
    whole = emulator.bands(table, *angles, head)
    assert whole.shape == (48, 128, len(S2))
    for rows in (2, 16, 24):
        parts = [
            emulator.bands(
                {name: value[k : k + rows] for name, value in table.items()},
                *(a[k : k + rows] for a in angles),
                head,
            )
            for k in range(0, 48, rows)
        ]
        assert torch.equal(torch.cat(parts), whole)
    one = emulator.bands({n: v[3, 5] for n, v in table.items()}, *(a[3, 0] for a in angles), head)
    torch.testing.assert_close(one, whole[3, 5], atol=1e-6, rtol=1e-5)


def test_no_pixels_are_no_bands(emulator: Emulator, land: Tensor) -> None:
    table, angles = canopies(draw(24, seeded(4)))
    table = {name: value.reshape(1, 24)[:0] for name, value in table.items()}
    bands = emulator.bands(table, *(a.reshape(1, 24)[:0, :1] for a in angles), emulator.head(land))
    assert bands.shape == (0, 24, len(S2))


def test_features_hold_the_gaps_of_the_canopy() -> None:
    table, angles = canopies(draw(500, seeded(6)))
    found = features(table, *angles)
    assert found.shape == (FEATURES, 500)
    assert found.isfinite().all()
    bare = features({**table, "lai": torch.zeros(500)}, *angles)
    start = len(VARIABLES) + 5
    torch.testing.assert_close(bare[start + 3 : start + 6], torch.ones(3, 500))
    assert (bare[start + 6] == 0).all()  # no leaf is seen
    spread = found.std(1)
    assert (spread > 0.01 * found.abs().amax(1)).all()  # none is a constant


def test_variables_that_it_does_not_know_are_refused(emulator: Emulator) -> None:
    table, angles = canopies(draw(4, seeded(6)))
    with pytest.raises(InputError, match="soil_moisture"):
        features({**table, "soil_moisture": table["psoil"]}, *angles)
    with pytest.raises(InputError, match="lai"):
        EmulatedBands({"sentinel2a": S2}, emulator, tuple(n for n in VARIABLES if n != "lai"))


def test_its_error_enters_r_and_angles_beyond_its_ranges_count_as_unseen(
    emulator: Emulator, land: Tensor
) -> None:
    names = {"sentinel2a": S2}
    bands = EmulatedBands(names, emulator)
    error = ObservationError(names, (560.0,), bands.error, 0.005, bands.zeniths)
    angles = [[60.0, 5.0, 0.0], [80.5, 5.0, 0.0], [60.0, 70.5, 0.0], [80.0, 70.0, 180.0]]
    found = error(passes("sentinel2a", len(S2), angles)).error
    expected = (0.01**2 + 0.005**2 + emulator.band_error(land).square()).sqrt()
    torch.testing.assert_close(found[[0, 3]].detach(), expected.expand(2, -1))
    assert found[1:3].isinf().all()


def test_the_error_of_an_index_follows_from_its_bands(emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "ndvi_only.yaml"
    path.write_text(
        "source: made for a test\n"
        "channels:\n"
        "  NDVI: {normalised_difference: [NIR, RED], noise: {additive: 0.02}}\n"
        "bands:\n"
        "  RED: {centre: 665, width: 30}\n"
        "  NIR: {centre: 842, width: 60}\n"
    )
    sensor = str(path)
    bands = EmulatedBands({sensor: ("NDVI",)}, emulator)
    operator = ProsailOperator(LAYOUT.decode, LAYOUT.residual, {sensor: ("NDVI",)}, (), bands)
    exact = ProsailOperator(
        LAYOUT.decode, LAYOUT.residual, {sensor: ("NDVI",)}, (), NodeBands({sensor: ("NDVI",)}, 0.0)
    )
    z, pass_ = ensemble(3, 400), passes(sensor, 1, ORDINARY)
    wrong = (operator(z, pass_) - exact(z, pass_)).square().mean().sqrt()
    assert 0.2 < wrong / bands.error[sensor][0] < 2.0


def test_spectra_of_draws_are_those_of_the_canopy_model(emulator: Emulator) -> None:
    """The emulated spectrum is a spectrum: within 0.02 of the model nearly everywhere."""
    inputs = draw(200, seeded(12))
    exact = spectra(inputs, load_optics())
    found = emulator.bands(*_given(inputs), emulator.head(torch.eye(2101)))
    assert (found - exact).abs().quantile(0.99, 0).max() < 0.02
