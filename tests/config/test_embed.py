"""`releo-da embed`, whole: the file, its numbers, the same bits for any chunks, what is refused."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

from releo_da.cli import main
from releo_da.config.assemble import assemble
from releo_da.config.document import load
from releo_da.config.encoded import bands_of
from releo_da.config.encoder_error import REMEMBERED
from releo_da.config.encoder_weights import write_encoder
from releo_da.config.sources import read_sources
from releo_da.representation.domain import Domain
from releo_da.representation.encoder import Encoder
from releo_da.representation.tokens import tokens_of
from releo_da.runs.covariates import covariates
from releo_da.state.layout import Layout
from releo_da.state.variables import variables

from .conftest import configuration

NAMES = tuple(name for name in variables() if name != "ant")
WIDTH = 16


def drawn() -> Encoder:
    """An encoder of the default state whose weights are drawn."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(3)
        encoder = Encoder(NAMES, WIDTH, 2, 1, 8)
        for parameter in encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        encoder.head.weight.copy_(0.2 * torch.randn_like(encoder.head.weight))
    return encoder.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "e.safetensors"
    write_encoder(path, drawn(), Domain((0.5, 0.99), (1.0, 6.0)), {"seed": 3})
    return path


def configured(**more: Any) -> dict[str, Any]:
    """The configuration of an embedding by these weights."""
    values = configuration()
    for key in ("smooth", "score", "analyse", "forecast"):
        del values[key]
    values["state"] = {"name": "prosail", "encoder": "e.safetensors"}
    products = {"variables": ["lai", "ndvi", "ccc"], "every_days": 15, "format": ["zarr", "csv"]}
    return {**values, "products": products, **more}


def run(*line: str) -> tuple[int, str, str]:
    """A command line in this process: exit status, output, errors."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
        pytest.raises(SystemExit) as ended,
    ):
        main(list(line))
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, weights: Path, series: xr.Dataset
) -> Iterator[Path]:
    """The working folder, with the series, the weights, and a finished run."""
    folder = tmp_path_factory.mktemp("embed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RELEO_DATA", str(folder / "data"))
        series.to_netcdf("series.nc")
        Path("e.safetensors").write_bytes(weights.read_bytes())
        Path("c.yaml").write_text(yaml.safe_dump(configured(), sort_keys=False))
        status, out, err = run("embed", "c.yaml", "--out", "run")
        assert status == 0, err
        assert f"embedding: {Path('run/analysis.nc').resolve()}" in out
        yield folder


@pytest.fixture
def made(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the finished run."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("RELEO_DATA", str(place / "data"))
    return Path("run")


def test_the_file(made: Path) -> None:
    """Variables, embedding, evidence, misfit and flag, with units, in CF; copies beside it."""
    found = xr.open_dataset(made / "analysis.nc")
    assert found.sizes["point"] == 4
    assert found["embedding"].dims == ("dimension", "time", "point")
    assert found["embedding"].shape == (WIDTH, 7, 4)
    for name in ("lai", "ndvi", "ccc"):
        assert {name, f"{name}_spread", f"{name}_quantile"} <= set(found)
        assert bool(found[name].notnull().all())
    for name in ("embedding", "evidence", "misfit", "out_of_domain"):
        assert found[name].attrs["units"] == "1"
        assert found[name].attrs["long_name"]
        assert found[name].attrs["grid_mapping"] == "crs"
    assert bool(((found.evidence >= 0) & (found.evidence <= 1)).all())
    assert set(np.unique(found.out_of_domain.values[np.isfinite(found.out_of_domain)])) <= {0, 1}
    assert found.out_of_domain.attrs["flag_meanings"] == "inside outside"
    outside = (found.misfit > found.out_of_domain.threshold).where(found.misfit.notnull())
    np.testing.assert_array_equal(outside, found.out_of_domain)
    told = json.loads((made / "scores.json").read_text())["embedding"]
    assert found.attrs["encoder_sha256"] == told["encoder_sha256"]
    assert told["n"] == 28
    assert told["evidence"] == pytest.approx(float(found.evidence.mean()), abs=1e-6)
    assert told["misfit"] == pytest.approx(float(found.misfit.mean()), rel=1e-5)
    zarr = xr.open_zarr(made / "analysis.zarr")
    xr.testing.assert_equal(zarr["embedding"].load(), found["embedding"])
    table = (made / "analysis.csv").read_text().splitlines()
    assert len(table) == 1 + 7 * 4 * 6  # lai, ndvi, ccc, evidence, misfit, out_of_domain
    page = (made / "report.html").read_text()
    assert "Embedding of 16 numbers at 7 dates" in page
    assert "range of the posterior of the encoder through time. The range is" in page
    assert "assimilated" not in page


def test_statistics_are_those_of_the_posterior(made: Path) -> None:
    """Of a state variable exactly; of one that follows from several as their draws have it."""
    found = xr.open_dataset(made / "analysis.nc")
    document = load("run/config.yaml")
    series = read_sources(document)
    times = torch.as_tensor(found.time.values.astype("datetime64[s]").astype(float) / 86400.0)
    error = assemble(document, series.channels).model.error
    tokens = tokens_of([error(a) for a in series.acquisitions], bands_of(series.channels))
    posterior = drawn().encode(tokens, times, covariates(series.pixels, torch.zeros(()))).posterior
    decode = Layout(NAMES).anamorphosis.decode
    k = NAMES.index("lai")
    levels = tuple(found["quantile"].values.tolist())
    quantiles = posterior.quantiles(levels, decode)[..., k].permute(0, 2, 1)
    np.testing.assert_allclose(found.lai_quantile, quantiles.detach(), rtol=1e-4, atol=1e-5)
    z = posterior.sample(torch.randn(4, 7, 20_000, len(NAMES)))
    x = decode(z.detach())[..., k]
    np.testing.assert_allclose(found.lai, x.mean(-1).T, rtol=0.03, atol=0.01)
    np.testing.assert_allclose(found.lai_spread, x.std(-1).T, rtol=0.05, atol=0.01)


def test_draws_are_no_change_in_time(made: Path) -> None:
    """Where the posterior hardly moves between two dates, a variable of draws hardly does."""
    found = xr.open_dataset(made / "analysis.nc")
    moved = np.abs(found.lai.diff("time")) / found.lai_spread.isel(time=slice(1, None)).values
    drawn = np.abs(found.ccc.diff("time")) / found.ccc_spread.isel(time=slice(1, None)).values
    still = moved.values < np.median(moved)
    assert float(drawn.values[still].max()) < 0.5


def test_the_misfit_is_that_of_the_worst_acquisition_near(made: Path) -> None:
    """Computed here from the posterior means at the dates of the acquisitions."""
    found = xr.open_dataset(made / "analysis.nc")
    document = load("run/config.yaml")
    series = read_sources(document)
    model = assemble(document, series.channels).model
    size = assemble(document, series.channels).layout.size
    dates = torch.tensor([a.time for a in series.acquisitions], dtype=torch.float64)
    tokens = tokens_of([model.error(a) for a in series.acquisitions], bands_of(series.channels))
    means = (
        drawn()
        .encode(tokens, dates, covariates(series.pixels, torch.zeros(())))
        .posterior.mean.detach()
    )
    days = found.time.values.astype("datetime64[s]").astype(float) / 86400.0
    wanted = np.full((len(days), 4), np.nan)
    for n, acquisition in enumerate(series.acquisitions):
        one = model.error(acquisition)
        latents = torch.nn.functional.pad(means[:, n : n + 1], (0, size - len(NAMES)))
        predicted = model.observe(latents, acquisition)[:, 0]
        ratio = ((acquisition.values - predicted) / one.error)[:, :].square()
        for p in range(4):
            if acquisition.seen[p].any():
                r = float(ratio[p][acquisition.seen[p]].mean().sqrt())
                near = np.abs(days - acquisition.time) <= 7.5
                wanted[near, p] = np.fmax(wanted[near, p], r)
    np.testing.assert_allclose(found.misfit, wanted, rtol=1e-3)
    np.testing.assert_array_equal(
        found.out_of_domain, np.where(np.isnan(wanted), np.nan, wanted > 6)
    )


def test_the_run_directory_is_whole(made: Path) -> None:
    """It holds the weights, and the run can be made from it and drawn again."""
    resolved = yaml.safe_load((made / "config.yaml").read_text())
    assert resolved["state"]["encoder"] == "encoder.safetensors"
    assert (made / "encoder.safetensors").read_bytes() == Path("e.safetensors").read_bytes()
    status, _, err = run("plot", "run", "--quiet")
    assert status == 0, err
    status, _, err = run("compare", "run", str(Path.cwd()), "--quiet")
    assert status == 2 and "run: is an embedding, which is scored against nothing" in err


def test_any_part_of_the_pixels_gives_the_same_bits(made: Path) -> None:
    """And so does a run from the run directory, whose weights are its own."""
    point = ("--set", "source.0.select={point: [2]}", "--set", "products.format=netcdf")
    status, _, err = run("embed", "run/config.yaml", *point, "--out", "part", "--quiet")
    assert status == 0, err
    whole, part = (xr.open_dataset(f"{name}/analysis.nc") for name in ("run", "part"))
    assert part.point.values.tolist() == [2]
    for name in (str(n) for n, array in part.data_vars.items() if "point" in array.dims):
        np.testing.assert_array_equal(whole[name].sel(point=[2]), part[name], name)


@pytest.mark.parametrize("kept", ["best", "all"])
def test_order_and_repeats_of_a_file_change_no_bit(
    made: Path, series: xr.Dataset, kept: str
) -> None:
    """Dates in any order, and some of them twice: also where the reader is told to keep them."""
    order = np.random.default_rng(0).permutation([*range(series.sizes["time"]), 0, 3, 3])
    series.isel(time=order).to_netcdf("shuffled.nc")
    settings = (
        "source.0.path=shuffled.nc",
        f"source.0.duplicates={kept}",
        "products.format=netcdf",
    )
    told = [part for setting in settings for part in ("--set", setting)]
    status, _, err = run("embed", "c.yaml", *told, "--out", f"again {kept}", "--quiet")
    assert status == 0, err
    one, other = (xr.open_dataset(f"{name}/analysis.nc") for name in ("run", f"again {kept}"))
    for name in map(str, one.data_vars):
        np.testing.assert_array_equal(one[name], other[name], name)


def test_an_encoder_is_told_the_errors_that_it_was_trained_with(made: Path) -> None:
    """Whatever R the run has: weights that remember theirs say what they say under that."""
    write_encoder(
        Path("r.safetensors"), drawn(), Domain((0.5, 0.99), (1.0, 6.0)), {REMEMBERED: 0.03}
    )
    told = {
        "asked": ["state.encoder=e.safetensors", "observe.representativeness=0.03"],
        "remembered": ["state.encoder=r.safetensors"],
    }
    for name, settings in told.items():
        more = [part for s in (*settings, "products.format=netcdf") for part in ("--set", s)]
        status, _, err = run("embed", "c.yaml", *more, "--out", name, "--quiet")
        assert status == 0, err
    one, other, plain = (xr.open_dataset(f"{name}/analysis.nc") for name in (*told, "run"))
    for name in ("embedding", "lai", "misfit", "out_of_domain"):
        np.testing.assert_array_equal(one[name], other[name], name)
    assert float(abs(one.embedding - plain.embedding).max()) > 1e-3


def test_another_state_or_no_weights_are_refused(made: Path) -> None:
    for setting, message in {
        "state.add=[soil_moisture]": "state.encoder: the encoder e.safetensors was made for",
        "state.encoder=none.safetensors": "state.encoder: no file 'none.safetensors'",
        "state.encoder=defalt": "did you mean 'default'? If not, correct the path, or make one",
        "state.encoder=c.yaml": "is not a file of an encoder",
    }.items():
        status, _, err = run("embed", "c.yaml", "--set", setting, "--quiet")
        assert status == 2
        assert message in err
    assert not Path("runs").exists()
