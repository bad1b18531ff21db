"""The simulator: rows map to reflectances one by one, and only the unphysical is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from releo_da.cli import main
from releo_da.config.simulate import DERIVED, simulate_table
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import VARIABLES, prosail
from releo_da.sensors import load_sensor
from releo_da.simulator import rows
from releo_da.simulator.validity import ANGLES
from releo_da.types import InputError

COLUMNS = (*VARIABLES, *ANGLES)
ROW = {
    "n": 1.5, "cab": 40, "car": 8, "cbrown": 0.1, "cw": 0.01, "cm": 0.009, "ant": 1, "lai": 3,
    "ala": 50, "hspot": 0.05, "psoil": 0.5, "rsoil": 1, "tts": 30, "tto": 10, "psi": 90,
}  # fmt: skip


def write(folder: Path, *changes: dict[str, object]) -> Path:
    """A table with one row per change of `ROW`."""
    path = folder / "vars.csv"
    pd.DataFrame([{**ROW, **change} for change in changes]).to_csv(path, index=False)
    return path


def simulated(table: Path, sensor: str | None = "sentinel2a") -> pd.DataFrame:
    """What the command writes."""
    output = table.with_name("refl.csv")
    simulate_table(table, output, sensor, sensor is None)
    return pd.read_csv(output)


def refusal(table: Path, sensor: str | None = "sentinel2a", spectrum: bool = False) -> str:
    """The message with which a table is refused; nothing is written then."""
    output = table.with_name("refl.csv")
    with pytest.raises(InputError) as caught:
        simulate_table(table, output, sensor, spectrum)
    assert not output.exists()
    return str(caught.value)


def test_channels_are_the_response_weighted_spectrum(tmp_path: Path) -> None:
    changes = [{"lai": lai, "tts": tts} for lai in (0, 1, 6) for tts in (0, 40)]
    result = simulated(write(tmp_path, *changes), "landsat8")
    variables = {
        name: torch.tensor([float({**ROW, **c}[name]) for c in changes], dtype=torch.float64)
        for name in COLUMNS
    }
    angles = (variables[name] for name in ("tts", "tto", "psi"))
    spectra = prosail(variables, *angles, load_optics(dtype=torch.float64))
    sensor = load_sensor("landsat8")
    assert tuple(result.columns) == sensor.channels
    np.testing.assert_allclose(result, spectra @ sensor.response.T, rtol=0, atol=1e-8)


def test_spectrum_has_a_column_per_nanometre(tmp_path: Path) -> None:
    result = simulated(write(tmp_path, {}), None)
    assert tuple(result.columns) == tuple(str(w) for w in range(400, 2501))
    sensor = load_sensor("sentinel2a")
    channels = simulated(write(tmp_path, {}))
    np.testing.assert_allclose(channels, result @ sensor.response.T.numpy(), rtol=0, atol=1e-7)


def test_any_azimuth_is_folded(tmp_path: Path) -> None:
    result = simulated(write(tmp_path, *({"psi": psi} for psi in (70, -70, 290, 430, -650))))
    assert np.ptp(result.to_numpy(), axis=0).max() == 0.0
    other = simulated(write(tmp_path, {"psi": 110}))
    assert not np.allclose(other, result.iloc[:1], rtol=0, atol=1e-5)


def test_result_does_not_depend_on_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write(tmp_path, *({"lai": lai} for lai in np.linspace(0, 6, 7)))
    whole = simulated(table)
    monkeypatch.setattr(rows, "BLOCK", 3)
    pd.testing.assert_frame_equal(simulated(table), whole)
    assert (whole["B04"].diff()[1:5] < 0).all()


def test_priors_are_no_limits(tmp_path: Path) -> None:
    extremes = [
        {"n": 1, "cab": 0, "car": 0, "ant": 0, "cbrown": 0, "cw": 0, "cm": 0},
        {"n": 4, "cab": 300, "lai": 40, "psoil": 0, "rsoil": 6, "hspot": 3},
        {"lai": 0, "ala": 0, "psoil": 0, "tts": 0, "tto": 0},
        {"ala": 90, "psoil": 1, "rsoil": 0, "tts": 80, "tto": 80, "psi": 1e4},
    ]
    result = simulated(write(tmp_path, *extremes))
    assert len(result) == 4
    assert (result >= 0).all().all()


def test_a_soil_brighter_than_white_is_refused(tmp_path: Path) -> None:
    """Light that a soil multiplies grows with every return between leaves and ground."""
    table = write(tmp_path, {}, {"lai": 6, "psoil": 1, "rsoil": 3.5}, {"rsoil": 9})
    expected = "row 2 (line 3), column 'rsoil': the soil reflects up to 1.8 of the light it gets"
    assert expected in (message := refusal(table))
    limit = float(message.rpartition(" ")[2])
    refusal(write(tmp_path, {"psoil": 1, "rsoil": limit + 0.001}))
    assert (simulated(write(tmp_path, {"psoil": 1, "rsoil": limit, "lai": 6})) < 1).all().all()
    soil = tmp_path / "soil.csv"
    soil.write_text("wavelength,dry,wet\n400,0.25,0.1\n2500,0.1,0.25\n")
    output = tmp_path / "refl.csv"
    simulate_table(write(tmp_path, {"rsoil": 4}), output, None, True, soil=soil)
    with pytest.raises(InputError, match="up to 1.02 of the light.*an rsoil of at most 4$"):
        simulate_table(write(tmp_path, {"rsoil": 4.1, "psoil": 1}), output, None, True, soil=soil)


def test_columns_in_any_order(tmp_path: Path) -> None:
    expected = simulated(write(tmp_path, {}))
    frame = pd.read_csv(tmp_path / "vars.csv")[list(reversed(COLUMNS))]
    frame.to_csv(tmp_path / "vars.csv", index=False)
    pd.testing.assert_frame_equal(simulated(tmp_path / "vars.csv"), expected)


def test_leaf_angles_by_two_slopes(tmp_path: Path) -> None:
    table = write(tmp_path, {"lidfa": -0.35, "lidfb": -0.15}, {"lidfa": 0.3, "lidfb": 0.8})
    assert "leaf angles: give either ala (Campbell) or lidfa and lidfb" in refusal(table)
    frame = pd.read_csv(table).drop(columns="ala")
    frame.to_csv(table, index=False)
    assert "row 2 (line 3), column 'lidfa': |lidfa| + |lidfb| is 1.1; give at most 1" in refusal(
        table
    )
    frame["lidfb"] = -0.15
    frame.to_csv(table, index=False)
    erect = simulated(table)["B08"]
    assert erect[1] > erect[0]  # flatter leaves look brighter from above


def test_the_command_line_reaches_leaf_soil_and_water(tmp_path: Path) -> None:
    soil = tmp_path / "soil.csv"
    soil.write_text("wavelength,dry\n400,0.2\n2500,0.2\n")
    table = write(
        tmp_path, {"soil_moisture": 0.05, "ant": 0, "lai": 0}, {"soil_moisture": 0.4, "ant": 0}
    )
    output = tmp_path / "refl.csv"
    line = ["simulate", "--input", str(table), "--output", str(output), "--sensor", "landsat8"]
    line += ["--leaf", "prospect_5", "--soil", str(soil), "--derived", "--also", "ndvi"]
    line += ["--factor", "bhr"]
    with pytest.raises(SystemExit) as done:
        main([*line, "--also", "fcover", "--quiet"])
    assert done.value.code == 0
    result = pd.read_csv(output)
    derived = (*DERIVED, "ndvi")
    assert tuple(result.columns) == (*load_sensor("landsat8").channels, *derived)
    np.testing.assert_allclose(result.loc[0, ["B2", "B6"]].astype(float), 0.2, atol=1e-8)
    leaves = write(tmp_path, {"ant": 0})
    simulate_table(leaves, output, "landsat8", False, (), True, "prospect_5", soil, "bhr")
    direct = pd.read_csv(output)
    with pytest.raises(SystemExit):
        main([*line, "--quiet"])
    pd.testing.assert_frame_equal(pd.read_csv(output)[list(direct.columns)], direct)
    output.unlink()
    table = write(tmp_path, {"soil_moisture": 0.2}, {"soil_moisture": 1.4})
    assert "row 2 (line 3), column 'soil_moisture': 1.4 is unphysical; give a" in refusal(table)


def test_unknown_columns_are_named_with_the_nearest(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, {"cabb": 3}))
    assert "vars.csv, line 1: unknown column 'cabb'; did you mean 'cab'?" in message
    assert "unknown column 'field'. Correct or remove it; known are n, cab" in refusal(
        write(tmp_path, {"field": 3})
    )


@pytest.mark.parametrize(
    ("column", "value", "remedy"),
    [
        ("cab", -1, "-1 is unphysical; give a finite number of at least 0"),
        ("cm", -1e-9, "give a finite number of at least 0"),
        ("lai", "inf", "inf is unphysical"),
        ("n", 0.99, "0.99 is unphysical; give a finite number of at least 1"),
        ("psoil", 1.01, "give a number from 0 to 1"),
        ("ala", 91, "give a number from 0 to 90"),
        ("tts", 90, "give a number from 0 to below 90"),
        ("tto", -1, "give a number from 0 to below 90"),
        ("psi", "nan", "nan is unphysical; give a finite number"),
        ("cw", "thin", "'thin' is not a number; correct it"),
        ("cw", "", "'' is not a number; correct it"),
    ],
)
def test_unphysical_values_are_named_by_row_and_column(
    column: str, value: object, remedy: str, tmp_path: Path
) -> None:
    message = refusal(write(tmp_path, {}, {column: value}, {}))
    assert f"vars.csv, row 2 (line 3), column '{column}': " in message
    assert remedy in message


def test_lines_are_counted_through_blank_ones(tmp_path: Path) -> None:
    table = write(tmp_path, {}, {"lai": -3})
    table.write_text(table.read_text().replace("\n", "\n\n"))
    assert "row 2 (line 5), column 'lai'" in refusal(table)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "lacks the column n, cab"),
        ("n,cab\n1,2\n", "lacks the column car, ant, cbrown"),
        (",".join(COLUMNS) + "\n", "has no rows below its header"),
        (",".join((*COLUMNS, "cab")) + "\n", "column 'cab' appears twice"),
        (",".join(COLUMNS) + "\n1,2\n", "row 1 (line 2): 2 cells under 15 columns"),
        (
            ",".join(COLUMNS) + '\n\n"1' + ",2\n" * 70_000,
            "line 3: no row of a CSV (field larger than field limit (131072)); look for a",
        ),
    ],
)
def test_tables_of_the_wrong_form_are_refused(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "vars.csv").write_text(text)
    assert expected in refusal(tmp_path / "vars.csv")


def test_files_and_sensors_that_are_not_there(tmp_path: Path) -> None:
    assert "no such file; give a CSV of canopy variables" in refusal(tmp_path / "absent.csv")
    assert "not a readable UTF-8 text file" in refusal(tmp_path)
    table = write(tmp_path, {})
    assert "did you mean 'sentinel2a'" in refusal(table, "sentinel2A")
    assert "give either --sensor NAME or --spectrum" in refusal(table, None)
    assert "give either --sensor NAME or --spectrum" in refusal(table, "sentinel2a", True)
    with pytest.raises(InputError, match="not a file in an existing folder; create"):
        simulate_table(table, tmp_path / "no" / "refl.csv", "sentinel2a", False)


def test_a_channel_with_a_comma_in_its_name_is_one_column(tmp_path: Path) -> None:
    sensor = tmp_path / "mine.yaml"
    sensor.write_text(
        "source: x\nnoise: {additive: 0, multiplicative: 0}\n"
        "channels: {'a,b': {centre: 660, width: 20}, c: {centre: 850, width: 20}}\n"
    )
    result = simulated(write(tmp_path, {}), str(sensor))
    assert tuple(result.columns) == ("a,b", "c")
    assert result.notna().all().all()


def test_without_output_the_result_goes_to_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate_table(write(tmp_path, {}), None, "landsat9", False)
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "B1,B2,B3,B4,B5,B6,B7,B9"
    assert said.err == ""


def test_derived_variables_follow_the_channels(tmp_path: Path) -> None:
    table = write(tmp_path, *({"lai": lai} for lai in (0, 0.5, 2, 6)))
    output = tmp_path / "refl.csv"
    names = ("fapar", "fcover", "ccc", "nbr", "nd_B03_B08")
    simulate_table(table, output, "sentinel2a", False, names)
    result = pd.read_csv(output)
    assert tuple(result.columns) == (*load_sensor("sentinel2a").channels, *names)
    np.testing.assert_allclose(result["ccc"], [0.0, 0.2, 0.8, 2.4], rtol=0, atol=1e-12)
    assert (result[["fapar", "fcover"]].diff()[1:] > 0).all().all()
    expected = (result["B08"] - result["B12"]) / (result["B08"] + result["B12"])
    np.testing.assert_allclose(result["nbr"], expected, rtol=0, atol=1e-7)
    simulate_table(table, output, None, True, ("fcover",))
    spectrum = pd.read_csv(output)
    assert tuple(spectrum.columns[-2:]) == ("2500", "fcover")
    np.testing.assert_array_equal(spectrum["fcover"], result["fcover"])
