"""Alarms as a user meets them: options, lines of status, JSON, the figure of the report."""

from datetime import UTC, datetime

import numpy as np
import pytest

from releo_da.config.health import deciding, health_pictures, line, rules_of, standing
from releo_da.cycling.ledger import Ledger
from releo_da.cycling.records import Arrival, Cycle
from releo_da.diagnostics.alarms import Rules
from releo_da.types import InputError


def test_options_are_checked():
    assert rules_of(None, "cycle.health") == Rules()
    given = rules_of({"factor": 3, "restart": {"b": "1970-01-11"}}, "cycle.health")
    assert given.factor == 3 and given.restart == {"b": 10.0}
    assert set(deciding(given)) == {"factor", "first", "limit", "restart"}
    for wrong, told in {
        "factor": (0.5, "1 or more"),
        "first": (2, "6 or more"),
        "limit": (1.0, "one scene alone"),
        "silent_days": (0.0, "positive"),
        "stale_days": (-1.0, "positive"),
        "stale_share": (2.0, "0 to 1"),
        "restart": ({"b": "May"}, "YYYY-MM-DD"),
    }.items():
        with pytest.raises(InputError, match=told[1]):
            rules_of({wrong: told[0]}, "cycle.health")


class Rows:
    """The rows of a ledger: b comes every 5 days and jumps by 0.1 with its 31st scene."""

    def __init__(self, recorded: float) -> None:
        self.at = recorded

    def cycles(self, after):
        assert after == 0
        means = 0.005 * np.random.default_rng(0).standard_normal(35) + 0.1 * (np.arange(35) >= 30)
        for k, mean in enumerate(means):
            terms = [50, -50 * mean, 50 * (mean**2 + 0.03**2), 1, 1, 50 * 0.03**2, 45, 1, 0]
            arrival = Arrival(str(k), 5.0 * k, "b", "p", "f")
            scores = {"sums": {"B04": terms}, "diverged": 0, "factor": 5.0 if k >= 32 else 1.0}
            yield Cycle(k + 1, arrival, "s", "c", scores)

    def recorded(self) -> datetime:
        return datetime.fromtimestamp(self.at * 86400.0, UTC)


@pytest.mark.parametrize(("age", "kinds"), [(1.0, ["biased", "silent"]), (900.0, ["biased"])])
def test_alarms_as_plain_values_and_lines(tmp_path, age, kinds):
    """By today's clock b is missing, where the run kept pace with the clock."""
    ledger: Ledger = Rows(170.0 + age)  # type: ignore[assignment]
    found = standing(ledger, Rules(), tmp_path, now=1200.0)
    assert [one["kind"] for one in found] == kinds
    wanted = {"kind", "sensor", "channel", "since", "figure", "what", "done", "advice"}
    assert all(set(one) == wanted for one in found)
    assert found[0]["since"].startswith("1970-06-") and found[0]["channel"] == "B04"
    assert line(found[0]).startswith("ALARM biased b B04, since 1970-06-")
    (picture,) = health_pictures(ledger, Rules(), tmp_path)
    assert picture.name == "health" and len(picture.figure.axes) == 1
