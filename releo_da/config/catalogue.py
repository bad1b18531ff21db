"""What the program knows, as tables on standard output: sensors, and variables of the state.

On a terminal a table fits its width; anywhere else nothing is cut or wrapped, so that the output
can be searched and piped.
"""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from releo_da.sensors.sensor import load_sensor, sensor_names
from releo_da.state.variables import variables

UNLIMITED = 10_000
"""Characters per line where there is no terminal."""


def show_sensors() -> None:
    """The catalogue, one sensor per row."""
    table = _table("sensor", "channels", "from nm", "to nm", "source", right=(2, 3))
    for name in sensor_names():
        sensor = load_sensor(name)
        low, high = min(sensor.centres), max(sensor.centres)
        channels = " ".join(sensor.channels)
        table.add_row(name, channels, f"{low:.0f}", f"{high:.0f}", sensor.source)
    _show(table)


def show_sensor(name: str) -> None:
    """Channels of one sensor: centre, width and noise.

    Raises:
        InputError: the catalogue has no sensor of that name.
    """
    sensor = load_sensor(name)
    heads = ("channel", "centre nm", "width nm", "additive noise", "multiplicative noise")
    table = _table(*heads, right=range(1, 5))
    table.title = sensor.name
    table.caption = (
        f"noise sd = sqrt(additive^2 + (multiplicative x reflectance)^2); {sensor.source}"
    )
    columns = (sensor.centres, sensor.widths, sensor.additive, sensor.multiplicative)
    for channel, centre, width, additive, multiplicative in zip(
        sensor.channels, *columns, strict=True
    ):
        numbers = (f"{centre:.1f}", f"{width:.1f}", f"{additive:g}", f"{multiplicative:g}")
        table.add_row(channel, *numbers)
    _show(table)


def show_variables() -> None:
    """The table of state variables: unit, bounds and prior."""
    heads = ("variable", "meaning", "unit", "lower", "upper", "prior mean", "prior sd")
    table = _table(*heads, right=range(3, 7))
    table.caption = "priors are normal distributions truncated to the bounds"
    for name, variable in variables().items():
        numbers = (variable.lower, variable.upper, variable.mean, variable.sd)
        table.add_row(name, variable.long_name, variable.unit, *(f"{x:g}" for x in numbers))
    _show(table)


def _table(*heads: str, right: tuple[int, ...] | range) -> Table:
    """An empty table whose columns at ``right`` hold numbers."""
    table = Table(box=box.SIMPLE_HEAD)
    for position, head in enumerate(heads):
        table.add_column(head, justify="right" if position in right else "left")
    return table


def _show(table: Table) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    console.print(table)
