"""Draws the figures of docs/spectra.md: what each variable does to a spectrum.

    python docs/images/effects.py

For every variable, spectra as it goes through a range while the others stay (above), and the
derivative of the spectrum with respect to it, by forward differentiation of the canopy model, at
three values of that range (below).
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.func import jvp

from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import prosail
from releo_da.simulator import CANOPY

BASE = {**CANOPY, "lai": 2.0, "tts": 35.0, "tto": 10.0, "psi": 60.0}

# least and largest value, unit, and what differs from the base so that the effect shows
PANELS = {
    "leaves": {
        "n": (1.0, 2.5, "", {}),
        "cab": (10.0, 80.0, "µg cm⁻²", {}),
        "car": (2.0, 20.0, "µg cm⁻²", {}),
        "ant": (0.0, 8.0, "µg cm⁻²", {}),
        "cbrown": (0.0, 1.0, "", {}),
        "cw": (0.004, 0.05, "cm", {}),
        "cm": (0.002, 0.02, "g cm⁻²", {}),
        "lai": (0.0, 6.0, "m² m⁻²", {}),
        "ala": (30.0, 80.0, "°", {}),
    },
    "ground": {
        "psoil": (0.0, 1.0, "", {"lai": 0.5}),
        "rsoil": (0.5, 1.5, "", {"lai": 0.5}),
        "soil_moisture": (0.05, 0.5, "m³ m⁻³", {"lai": 0.5, "psoil": 1.0}),
        "lidfa": (-0.8, 0.8, "", {"lidfb": 0.0}),
        "lidfb": (-0.8, 0.8, "", {"lidfa": 0.0}),
        "hspot": (0.01, 0.5, "", {"psi": 0.0, "tto": 25.0}),
        "tts": (0.0, 70.0, "°", {}),
        "tto": (0.0, 60.0, "°", {"psi": 0.0}),
        "psi": (0.0, 180.0, "°", {"tto": 35.0}),
    },
}
NAMES = {
    "n": "leaf structure", "cab": "chlorophyll", "car": "carotenoids", "ant": "anthocyanins",
    "cbrown": "brown pigments", "cw": "leaf water", "cm": "dry matter", "lai": "leaf area",
    "ala": "mean leaf angle", "psoil": "dry fraction of soil", "rsoil": "brightness of soil",
    "soil_moisture": "soil moisture", "lidfa": "leaf angles, slope", "lidfb": "leaf angles, modes",
    "hspot": "hot spot", "tts": "sun zenith", "tto": "view zenith", "psi": "relative azimuth",
}  # fmt: skip

COLUMNS, VALUES = 3, 5
FIGURE = (9.0, 11.4)
INK, FAINT = "#222222", "#8a8a8a"


def spectra(name: str, values: Tensor, changes: dict[str, float]) -> tuple[Tensor, Tensor]:
    """Spectra ``[value, 2101]`` at values of one variable, and their derivatives."""
    held = {**BASE, **changes}
    if name.startswith("lidf"):
        del held["ala"]
    fixed = {key: torch.full_like(values, value) for key, value in held.items() if key != name}
    optics = load_optics(dtype=torch.float64)

    def model(x: Tensor) -> Tensor:
        all_ = {**fixed, name: x}
        return prosail(all_, all_["tts"], all_["tto"], all_["psi"], optics)

    return jvp(model, (values,), (torch.ones_like(values),))


def panel(above: Axes, below: Axes, name: str) -> None:
    """Spectra of one variable and their derivatives."""
    low, high, unit, changes = {**PANELS["leaves"], **PANELS["ground"]}[name]
    values = torch.linspace(low, high, VALUES, dtype=torch.float64)
    seen, slope = spectra(name, values, changes)
    colours = colormaps["viridis"](np.linspace(0.0, 0.82, VALUES))
    wavelength = np.arange(400, 2501)
    for k in range(VALUES):
        above.plot(wavelength, seen[k], color=colours[k], lw=1.2)
        if k % 2 == 0:
            below.plot(wavelength, slope[k], color=colours[k], lw=1.2)
    above.set_title(f"{name}: {NAMES[name]}", fontsize=10.5, loc="left", color=INK)
    for value, colour, x, side in ((low, 0, 0.03, "left"), (high, -1, 0.97, "right")):
        text = f"{value:g}{unit}" if unit == "°" else f"{value:g} {unit}".strip()
        above.text(
            x, 0.95, text, color=colours[colour], fontsize=9, ha=side, va="top",
            transform=above.transAxes,
        )  # fmt: skip
    below.text(0.97, 0.97, f"per {unit}" if unit else "", color=FAINT, fontsize=8.5, ha="right",
               va="top", transform=below.transAxes)  # fmt: skip
    below.axhline(0.0, color=FAINT, lw=0.6)
    below.margins(y=0.3)
    below.ticklabel_format(axis="y", scilimits=(-2, 3))
    below.yaxis.get_offset_text().set_fontsize(8)


def draw(names: list[str]) -> Figure:
    """One figure of nine variables."""
    made = Figure(figsize=FIGURE, dpi=120, layout="constrained", facecolor="white")
    FigureCanvasAgg(made)
    rows = -(-len(names) // COLUMNS)
    axes = made.subplots(2 * rows, COLUMNS, sharex=True, height_ratios=[1.5, 1.0] * rows)
    for position, name in enumerate(names):
        row, column = divmod(position, COLUMNS)
        above, below = axes[2 * row, column], axes[2 * row + 1, column]
        for one in (above, below):
            one.spines[["top", "right"]].set_visible(False)
            one.grid(True, color="#e8e8e8", lw=0.6)
            one.tick_params(labelsize=8.5, colors=INK, length=3)
            one.set_xlim(400, 2500)
            one.set_xticks([500, 1000, 1500, 2000, 2500])
        panel(above, below, name)
        above.set_ylim(0.0, above.get_ylim()[1] * 1.12)
        if column == 0:
            above.set_ylabel("reflectance", fontsize=9.5, color=INK)
            below.set_ylabel("derivative", fontsize=9.5, color=INK)
        if row == rows - 1:
            below.set_xlabel("wavelength (nm)", fontsize=9.5, color=INK)
    return made


def main(folder: Path) -> list[Path]:
    """Writes both figures into a folder."""
    paths = []
    for group, panels in PANELS.items():
        paths.append(folder / f"effects_{group}.png")
        drawn = BytesIO()
        draw(list(panels)).savefig(drawn)
        Image.open(drawn).convert("RGB").quantize(96).save(paths[-1], optimize=True)
    return paths


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
