"""Where the tiles of a run stand, as a map."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from releo_da.diagnostics.plots.style import figure, legend_above, name_axes

COLOURS = {"done": "#0072B2", "behind": "#E69F00", "failed": "#D55E00"}
HATCHES = {"done": "", "behind": "//", "failed": "xx"}

Box = tuple[tuple[int, int], tuple[int, int], str]
"""Rows, columns (first and last of each), and how it stands."""


def tiles(boxes: Sequence[Box], shape: tuple[int, int]) -> Figure:
    """Rectangles of tiles on their grid, coloured and hatched by how they stand.

    Args:
        boxes: the tiles.
        shape: rows and columns of the grid.
    """
    height, width = shape
    made, axes = figure(height=min(max(6.0 * height / width, 2.0), 7.0))
    one = axes[0, 0]
    named: set[str] = set()
    for (first, last), (left, right), stands in boxes:
        patch = Rectangle(
            (left, first),
            right - left + 1,
            last - first + 1,
            facecolor=COLOURS[stands],
            hatch=HATCHES[stands],
            edgecolor="white",
            linewidth=0.8,
            label=None if stands in named else stands,
        )
        named.add(stands)
        one.add_patch(patch)
    one.set_xlim(0, width)
    one.set_ylim(height, 0)
    one.set_aspect("equal")
    name_axes(one, "column", "row")
    legend_above(made, [one])
    return made
