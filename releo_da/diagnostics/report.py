"""The report of a run: one HTML file that needs no other, readable from top to bottom.

What was run, what was found in the data, the scores with their baselines beside them, the figures
with how to read them, the resolved configuration. Figures are embedded, there is no script and
nothing is fetched; every text is escaped.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.plots.style import png
from releo_da.diagnostics.tables import tables
from releo_da.types import InputError

PERCENT = re.compile(r"(?<=\d) %(?!\w)")
"""The blank between a number and its sign."""

OURS = ("assimilation", "analysis", "smoothed")
NOTED = "What reading and screening found:"
SECTIONS = {
    "run": "What was run",
    "data": "The data",
    "scores": "Scores",
    "figures": "Figures",
    "config": "Configuration",
}


def write_report(
    run_dir: Path, content: Mapping[str, Any], pictures: Sequence[Picture] = ()
) -> Path:
    """Writes ``report.html`` and ``figures/*.png`` into a run directory.

    Args:
        run_dir: an existing directory.
        content: all keys optional:
            ``title``: one line;
            ``summary``: list of sentences that a hurried reader should take home;
            ``run``: mapping of names to values (command, version, commit, seed, members, ...);
            ``data``: mapping of names to values (places, dates, sensors, ...);
            ``warnings``: list of sentences (values refused and why, offsets found, ...);
            ``noted``: what the warnings are, one line;
            ``scores``: scores.json;
            ``members``: size of the ensemble;
            ``units``: of variables, for the tables of the scores;
            ``tables``: tables to show instead of those of the scores;
            ``config``: the text of config.yaml.
        pictures: in the order in which they are shown.

    Returns:
        The path of the report.

    Raises:
        InputError: where the directory or the PNG of a picture does not exist.
    """
    run_dir = Path(run_dir)
    if not run_dir.is_dir():
        raise InputError(f"{run_dir}: no such directory; create it before its report is written")
    (run_dir / "figures").mkdir(exist_ok=True)
    embedded = []
    for picture in pictures:
        if Path(picture.name).name != picture.name:  # of a variable of a file, it may be anything
            raise InputError(
                f"{run_dir}: {picture.name[:60]!r} cannot be the name of a figure; rename the "
                "variable that it is drawn of"
            )
        image = pixels(picture.figure)
        target = run_dir / "figures" / f"{picture.name}.png"
        if picture.figure != target:
            target.write_bytes(image)
        data = base64.b64encode(image).decode()
        embedded.append({**picture._asdict(), "data": data})
    path = run_dir / "report.html"
    path.write_text(render(content, embedded), encoding="utf-8")
    return path


def render(content: Mapping[str, Any], pictures: Sequence[Mapping[str, Any]] = ()) -> str:
    """The report as HTML.

    Args:
        content: as in `write_report`.
        pictures: with ``name``, ``title``, ``caption`` and ``data`` (PNG in base64).
    """
    made = (
        content["tables"]
        if "tables" in content
        else tables(content.get("scores", {}), content.get("members"), content.get("units"))
    )
    parts = {
        "run": True,
        "data": content.get("data") or content.get("warnings"),
        "scores": made,
        "figures": pictures,
        "config": content.get("config"),
    }
    environment = Environment(
        loader=PackageLoader("releo_da.diagnostics"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=unbroken,
    )
    return environment.get_template("report.html").render(
        title=content.get("title", "Assimilation run"),
        summary=content.get("summary", []),
        run=list(content.get("run", {}).items()),
        data=list(content.get("data", {}).items()),
        warnings=content.get("warnings", []),
        noted=content.get("noted", NOTED),
        tables=made,
        ours=OURS,
        pictures=pictures,
        config=content.get("config", ""),
        contents=[(key, name) for key, name in SECTIONS.items() if parts[key]],
    )


def unbroken(value: Any) -> Any:
    """A text whose numbers keep their per cent sign on the same line; other values as they are."""
    return PERCENT.sub("\u00a0%", value) if type(value) is str else value


def pixels(figure: Figure | Path) -> bytes:
    """A figure, or the file it was saved to, as PNG.

    Raises:
        InputError: where the file does not exist or is no PNG.
    """
    if isinstance(figure, Figure):
        return png(figure)
    if not figure.is_file():
        raise InputError(f"{figure}: no such figure; draw it again with `releo-da plot`")
    image = figure.read_bytes()
    if not image.startswith(b"\x89PNG"):
        raise InputError(f"{figure}: not a PNG file; reports embed PNG figures only")
    return image
