"""What `releo-da variables` prints: every variable, and every essential one with its standing."""

from __future__ import annotations

import pytest

from releo_da.config.catalogue import show_variables
from releo_da.observation.derived import DERIVED, OUTPUTS, described
from releo_da.observation.essential import ESSENTIAL, UNSEEN
from releo_da.sensors.indices import INDICES
from releo_da.state.variables import OPTIONAL, variables

MISSION = {
    "biomass", "albedo", "evaporation", "fire", "land cover", "land surface temperature",
    "leaf area index", "soil carbon", "soil moisture", "phenology", "productivity", "fAPAR",
}  # fmt: skip


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    show_variables()
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_every_variable_has_its_row(printed: list[str]) -> None:
    for name, (unit, long_name) in described(OUTPUTS).items():
        rows = [line for line in printed if line.startswith(f"{name} {long_name}")]
        assert len(rows) == 1
        assert f" {unit}" in rows[0]
    assert "lai leaf area index m2 m-2 0 12 -1 3.2" in printed


def test_every_essential_variable_has_a_standing(printed: list[str]) -> None:
    assert {one.name for one in ESSENTIAL} == MISSION
    for one in ESSENTIAL:
        assert any(line.startswith(f"{one.name} {one.standing}") for line in printed)
        assert one.text in "\n".join(printed)


def test_what_is_said_to_be_estimated_can_be() -> None:
    table = variables((*variables(), *OPTIONAL))
    for one in ESSENTIAL:
        assert bool(one.variables) == (one.standing != UNSEEN)
        for name in one.variables:
            assert name in (table if one.standing == "state" else {**DERIVED, **INDICES})
