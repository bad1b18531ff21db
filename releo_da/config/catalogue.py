"""What the program knows, as tables on standard output: sensors, and variables.

On a terminal a table fits its width; anywhere else nothing is cut or wrapped, so that the output
can be searched and piped.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from releo_da.observation.derived import DERIVED
from releo_da.observation.essential import ESSENTIAL
from releo_da.sensors import Sensor, load_sensor, sensor_names
from releo_da.sensors.indices import DARK, INDICES
from releo_da.state.variables import OPTIONAL, variables

SHOWN = 20
"""Channels that the catalogue lists by name."""

UNLIMITED = 10_000
"""Characters per line where there is no terminal."""


def show_sensors() -> None:
    """The catalogue, one sensor per row."""
    table = _table("sensor", "channels", "from nm", "to nm", "response", "source", right=(2, 3))
    for name in sensor_names():
        sensor = load_sensor(name)
        ends = ("", "")
        if sensor.bands:
            ends = (f"{min(sensor.band_centres):.0f}", f"{max(sensor.band_centres):.0f}")
        known = ", ".join(dict.fromkeys(sensor.forms)) or "variables"
        table.add_row(name, _listed(sensor.channels), *ends, known, sensor.source)
    _show(table)


def show_sensor(name: str) -> None:
    """Channels of one sensor: centre, width, how the response is known, and noise.

    Args:
        name: in the catalogue, or the path of a sensor file.

    Raises:
        InputError: there is no such sensor, or its file is wrong.
    """
    sensor = load_sensor(name)
    heads = ("channel", "centre nm", "width nm", "response", "additive noise")
    table = _table(*heads, "multiplicative noise", right=(1, 2, 4, 5))
    table.title = sensor.name
    told = ["noise sd = sqrt(additive^2 + (multiplicative x value)^2)", sensor.source]
    if any(sensor.are_indices(sensor.channels)):
        told.insert(1, f"in an index a sum of its bands below {DARK:g} counts as {DARK:g}")
    table.caption = "; ".join(told)
    for k, channel in enumerate(sensor.channels):
        noise = (f"{sensor.additive[k]:g}", f"{sensor.multiplicative[k]:g}")
        seen = ("", "", sensor.variables[k]) if sensor.variables else _seen(sensor, sensor.parts[k])
        table.add_row(channel, *seen, *noise)
    for row, band in enumerate(sensor.bands):
        if (row,) not in sensor.parts:
            table.add_row(f"({band})", *_seen(sensor, (row,)), "not reported", "")
    _show(table)


def _seen(sensor: Sensor, part: tuple[int, ...]) -> tuple[str, str, str]:
    """Centre, width and form of a band; the bands of an index."""
    if len(part) == 2:
        high, low = (sensor.bands[row] for row in part)
        return "", "", f"({high} - {low}) / ({high} + {low})"
    (row,) = part
    return f"{sensor.band_centres[row]:.1f}", f"{sensor.band_widths[row]:.1f}", sensor.forms[row]


def _listed(channels: Sequence[str]) -> str:
    """Names of channels; of a hundred the first and the last."""
    if len(channels) <= SHOWN:
        return " ".join(channels)
    return f"{' '.join(channels[:3])} ... {channels[-1]} ({len(channels)} in all)"


def show_variables() -> None:
    """Variables of the state, derived ones, and the essential variables of the mission."""
    heads = ("state variable", "meaning", "unit", "lower", "upper", "prior mean", "prior sd")
    table = _table(*heads, right=range(3, 7))
    table.caption = "priors are normal distributions truncated to the bounds"
    for name, variable in variables((*variables(), *OPTIONAL)).items():
        numbers = (variable.lower, variable.upper, variable.mean, variable.sd)
        table.add_row(name, variable.long_name, variable.unit, *(f"{x:g}" for x in numbers))
    _show(table)
    table = _table("derived variable", "meaning", "unit")
    for name, (unit, long_name) in DERIVED.items():
        table.add_row(name, long_name, unit)
    for name, recipe in INDICES.items():
        pair = f"channels near {recipe.high.wavelength:g} and {recipe.low.wavelength:g} nm"
        table.add_row(name, f"{recipe.long_name}, {pair}", "1")
    table.add_row("nd_HIGH_LOW", "normalised difference of any two channels, as in nd_B08_B11", "1")
    table.caption = f"in an index a sum of two channels below {DARK:g} counts as {DARK:g}"
    _show(table)
    table = _table("essential variable", "here")
    for one in ESSENTIAL:
        table.add_row(one.name, one.sentence)
    _show(table)


def _table(*heads: str, right: tuple[int, ...] | range = ()) -> Table:
    """An empty table whose columns at ``right`` hold numbers."""
    table = Table(box=box.SIMPLE_HEAD)
    for position, head in enumerate(heads):
        table.add_column(head, justify="right" if position in right else "left")
    return table


def _show(table: Table) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    console.print(table)
