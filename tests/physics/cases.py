"""Random and edge cases shared by the tests of radiative transfer."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.physics.prosail import VARIABLES

CONTENTS = ("cab", "car", "ant", "cbrown", "cw", "cm")
PIGMENTS = CONTENTS[:4]

BOUNDS = {
    "n": (1.0, 3.0),
    "cab": (0.0, 100.0),
    "car": (0.0, 25.0),
    "ant": (0.0, 10.0),
    "cbrown": (0.0, 2.0),
    "cw": (0.0, 0.08),
    "cm": (0.001, 0.02),
    "lai": (0.0, 10.0),
    "ala": (5.0, 85.0),
    "hspot": (0.0, 0.5),
    "psoil": (0.0, 1.0),
    "rsoil": (0.3, 1.5),
}


class Cases(NamedTuple):
    variables: dict[str, Tensor]
    angles: tuple[Tensor, Tensor, Tensor]

    def to(self, dtype: torch.dtype) -> Cases:
        return Cases(
            {k: v.to(dtype) for k, v in self.variables.items()},
            tuple(a.to(dtype) for a in self.angles),
        )

    def __getitem__(self, index) -> Cases:
        return Cases(
            {k: v[index] for k, v in self.variables.items()}, tuple(a[index] for a in self.angles)
        )


def random_cases(count: int, seed: int = 0) -> Cases:
    """Uniform draws within `BOUNDS`, float64 ``[count]``."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)

    variables = {name: draw(*BOUNDS[name]) for name in VARIABLES}
    return Cases(variables, (draw(0.0, 75.0), draw(0.0, 70.0), draw(0.0, 180.0)))


CORNERS = (
    (1.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (0.0, 1.0), (0.0, 0.0),
    (0.5, 0.5), (0.5, -0.5), (-0.5, 0.5), (-0.5, -0.5), (-0.35, -0.15),
)  # fmt: skip
"""lidfa and lidfb of named distributions, and the rim of their domain."""


def with_slopes(cases: Cases, seed: int = 2, margin: float = 0.0) -> Cases:
    """The cases with Verhoef's leaf angles, uniform where |lidfa| + |lidfb| <= 1 - margin.

    Without a margin the last rows are `CORNERS`.
    """
    generator = torch.Generator().manual_seed(seed)
    count = len(cases.angles[0])
    u = (1.0 - margin) * (2.0 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1)
    a, b = 0.5 * (u[:, 0] + u[:, 1]), 0.5 * (u[:, 0] - u[:, 1])
    if not margin:
        corners = torch.tensor(CORNERS[:count], dtype=torch.float64)
        a[-len(corners) :], b[-len(corners) :] = corners.T
    kept = {k: v for k, v in cases.variables.items() if k != "ala"}
    return Cases({**kept, "lidfa": a, "lidfb": b}, cases.angles)


def with_moisture(cases: Cases, seed: int = 3) -> Cases:
    """The cases with soil moisture, 0-0.6; one row is dry, one is where water begins to act."""
    generator = torch.Generator().manual_seed(seed)
    moisture = 0.6 * torch.rand(len(cases.angles[0]), generator=generator, dtype=torch.float64)
    moisture[:2] = torch.tensor([0.0, 0.05])[: len(moisture)]
    return Cases({**cases.variables, "soil_moisture": moisture}, cases.angles)


# What each edge case changes in an otherwise random one; "tts", "tto", "psi" are angles.
EDGES: tuple[dict[str, float], ...] = (
    {"lai": 0.0},
    {"lai": 1e-6},
    {"lai": 10.0},
    {"lai": 10.0, "ala": 5.0, "tts": 75.0, "tto": 70.0},
    {"n": 1.0},
    {"n": 1.0, "lai": 10.0},
    dict.fromkeys(PIGMENTS, 0.0),
    {**dict.fromkeys(PIGMENTS, 0.0), "cw": 0.0, "cm": 1e-5, "lai": 10.0},
    {"hspot": 0.0},
    {"hspot": 0.0, "tts": 30.0, "tto": 30.0, "psi": 0.0},
    {"hspot": 0.2, "tts": 30.0, "tto": 30.0, "psi": 0.0},
    {"hspot": 0.2, "tts": 30.0, "tto": 30.001, "psi": 0.0},
    {"hspot": 1e-4, "tts": 30.0, "tto": 30.0, "psi": 0.5},
    {"tts": 0.0},
    {"tts": 75.0},
    {"tto": 0.0},
    {"tts": 0.0, "tto": 0.0, "psi": 0.0},
    {"tts": 75.0, "tto": 75.0, "psi": 180.0},
    {"tts": 60.0, "tto": 60.0, "psi": 0.0},
    {"ala": 0.0},
    {"ala": 90.0},
    {"ala": 58.4351},
    {"ala": 58.43514},
    {"psoil": 0.0},
    {"psoil": 1.0},
    {"rsoil": 0.0},
    {"cab": 100.0, "car": 25.0, "ant": 10.0, "cbrown": 2.0, "lai": 10.0},
    {"ala": 10.0, "tts": 0.0, "tto": 0.0, "cbrown": 2.0},
)


def edge_cases(seed: int = 1) -> Cases:
    """One row for each of `EDGES`."""
    cases = random_cases(len(EDGES), seed)
    angles = dict(zip(("tts", "tto", "psi"), cases.angles, strict=True))
    for row, changes in enumerate(EDGES):
        for name, value in changes.items():
            (angles if name in angles else cases.variables)[name][row] = value
    return cases


def all_cases(count: int, seed: int = 0) -> Cases:
    """``count`` random rows, then the edge rows."""
    a, b = random_cases(count, seed), edge_cases(seed + 1)
    return Cases(
        {k: torch.cat((a.variables[k], b.variables[k])) for k in VARIABLES},
        tuple(torch.cat(pair) for pair in zip(a.angles, b.angles, strict=True)),
    )
