"""The table of runs that withhold one channel each: a row per channel.

Every row is of the values of one channel that was hidden from the run and from its fit. Beside the
filter, which has seen the other channels of the same acquisition, and the smoother stand the
baselines that have seen the channel in the training part: the line by the other channels of the
acquisition, and the mean. Figures of the assimilation are means over seeds, with the standard
deviation behind them; the interval of coverage holds R.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from releo_da.config.table_text import markdown, over_seeds
from releo_da.runs.baselines import MEAN, OTHERS

CASES = ("filtered", "smoothed")
Pooled = dict[str, Any]


def channels_table(runs: Mapping[str, tuple[str, list[Pooled]]]) -> tuple[str, dict[str, Any]]:
    """Markdown and numbers of runs, each by its channel and what is pooled of each seed.

    Args:
        runs: by name, the label of the hidden channel and, per seed, ``scores`` and ``ours``
            (`releo_da.config.study_table`).
    """
    body, numbers = [], {}
    for channel, seeds in runs.values():
        told = figures(channel, seeds)
        numbers[channel] = told
        row = [channel, f"{told['n']}", f"{told['level']:.3f}"]
        for case in CASES:
            one = told[case]
            row += [over_seeds(one["rmse"], 4)] if one else [""]
        one = told[CASES[0]]
        relative = np.mean(one["rmse"]) / told["level"]
        row += [f"{100 * relative:.0f} %", over_seeds(one["bias"], 4)]
        row += [over_seeds(one["coverage_90"], 2), over_seeds(one["crps"], 4)]
        for name in (OTHERS, MEAN):
            rival = told[name]
            row += [f"{rival['rmse']:.4f}", f"{rival['crps']:.4f}"] if rival else ["", ""]
        body.append(row)
    head = ["hidden", "n", "mean reflectance", "RMSE, filter", "RMSE, smoother",
            "filter / reflectance", "bias, filter", "90 % coverage, filter", "CRPS, filter",
            "RMSE, line by the others", "its CRPS", "RMSE, mean", "its CRPS"]  # fmt: skip
    return markdown(head, body), numbers


def figures(channel: str, seeds: list[Pooled]) -> dict[str, Any]:
    """Scores of a hidden channel: per case a list over seeds, of the baselines a row or None."""
    scores = [one["scores"] for one in seeds]
    ours = seeds[0]["ours"].sel(channel=channel)
    compared = np.isfinite(ours["mean"].sel(case=CASES[0]).values)
    seen = ours.observed.transpose(*ours["mean"].sel(case=CASES[0]).dims).values[compared]
    found: dict[str, Any] = {"n": int(compared.sum()), "level": float(seen.mean())}
    for case in CASES:
        rows = [s[case][channel] for s in scores if channel in s.get(case, {})]
        found[case] = {k: [r[k] for r in rows] for k in rows[0]} if rows else None
    for name in (OTHERS, MEAN):
        held = scores[0]["baselines"].get(name, {}).get(CASES[1], {})
        found[name] = held.get(channel)
    return found
