"""Sensors whose channels are drawn by chance: `python draw.py` writes drawn/1.yaml to 4.yaml.

Five to nine channels each, centres uniform over the windows of the atmosphere, one or more from
`VISIBLE` and from `NEAR` among them, widths log-uniform.
"""

from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent / "drawn"
VISIBLE, NEAR = (430, 700), (780, 900)
MIDDLE = ((700, 780), (990, 1080), (1190, 1310), (1540, 1750), (2050, 2350))
WINDOWS = (VISIBLE, VISIBLE, NEAR, *MIDDLE)
"""Ranges of centres (nm); what stands there twice counts twice."""

NUMBER, WIDTH = (5, 9), (15.0, 120.0)


def sensor(seed: int) -> str:
    """The text of a sensor file."""
    draw = np.random.default_rng(seed)
    centres = [draw.uniform(*VISIBLE), draw.uniform(*NEAR)]
    for _ in range(draw.integers(*NUMBER, endpoint=True) - 2):
        centres.append(draw.uniform(*WINDOWS[draw.integers(len(WINDOWS))]))
    lines = [
        f"  c{k}: {{centre: {centre:.0f}, width: {np.exp(draw.uniform(*np.log(WIDTH))):.0f}}}"
        for k, centre in enumerate(sorted(centres), 1)
    ]
    head = ["source: drawn by chance (draw.py)", "noise: {additive: 0.005, multiplicative: 0.02}"]
    return "\n".join([*head, "channels:", *lines]) + "\n"


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for number in range(1, 5):
        (HERE / f"{number}.yaml").write_text(sensor(number))
