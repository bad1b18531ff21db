"""The table of variables: deviations of its priors."""

from __future__ import annotations

import pytest
from scipy.stats import truncnorm

from releo_da.state.variables import OPTIONAL, deviations, variables


def test_deviations_are_those_of_truncated_normal_priors() -> None:
    found = deviations()
    assert set(found) == {*variables(), *OPTIONAL}
    for name, v in variables(tuple(found)).items():
        bounds = (v.lower - v.mean) / v.sd, (v.upper - v.mean) / v.sd
        assert found[name] == pytest.approx(truncnorm.std(*bounds, v.mean, v.sd), rel=1e-9), name
