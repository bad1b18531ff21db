"""The table of a study: folds pooled, offsets averaged, seeds as mean and spread.

Every figure of the assimilation is the mean over seeds, with the standard deviation over seeds
behind it; every baseline is deterministic. ``against`` columns are relative differences of a loss
on the same values (negative: the assimilation is better) with the 95 % interval over points, of a
map over square blocks of pixels (`releo_da.runs.folds.units`), from the losses averaged over seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from releo_da.config.table_channels import channels_table
from releo_da.config.table_horizons import check_horizons, horizons_of
from releo_da.config.table_pairs import pairs_table, refusals
from releo_da.config.table_text import markdown, over_seeds, percent
from releo_da.config.table_variants import Sides, variants_table
from releo_da.diagnostics.leads import lead_losses, lead_summaries, of_bin, pooled_leads
from releo_da.diagnostics.paired import paired_interval
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import summaries, within
from releo_da.runs.baselines import Said, by_part, rows
from releo_da.runs.field import FieldRows
from releo_da.runs.field import pooled as pooled_rows
from releo_da.runs.folds import Units
from releo_da.runs.scoring import field_scores
from releo_da.runs.withhold import WithholdChannel, WithholdSensor

if TYPE_CHECKING:
    from releo_da.config.experiment import Found

Row = dict[str, float]
SHOWN = ("rmse", "mae", "median_abs", "crps", "coverage_90")
RIVALS = ("persistence", "harmonic", "place_day_of_year", "place_harmonic", "ou_kalman", "gru")
"""Methods that forecasts are compared with in pairs."""
FIELD = ("rmse", "bias", "unbiased_rmse", "r2", "coverage_90", "n")


def table(found: Sequence[Found]) -> tuple[str, dict[str, Any]]:
    """Markdown and the same figures as numbers, run by run; rivals of a run stand in its table.

    Raises:
        InputError: seeds of a run have forecasts at other horizons.
    """
    text: list[str] = []
    scores: dict[str, Any] = {}
    runs: dict[str, list[dict[str, Any]]] = {}
    first = {f.run: f for f in reversed(found)}
    for run in dict.fromkeys(f.run for f in found):
        part = [f for f in found if f.run == run]
        numbers = sorted({f.seed for f in part})
        runs[run] = [_pooled([f for f in part if f.seed == s]) for s in numbers]
        scores[run] = [p["scores"] for p in runs[run]]
        check_horizons(run, dict(zip(numbers, scores[run], strict=True)))
    rivals = {run: f.against for run, f in first.items() if f.against}
    hidden: dict[str, str] = {}
    for run in runs:
        rule = first[run].score.withhold
        if isinstance(rule, WithholdChannel):
            hidden[run] = rule.channel
    if hidden:
        shown, compared = channels_table({run: (hidden[run], runs[run]) for run in hidden})
        scores["hidden"] = [compared]
        text.append("### Hidden channels\n\n" + shown)
    for run, seeds in runs.items():
        if run in rivals.values() or run in hidden:
            continue
        rule = first[run].score.withhold
        parts = []
        if run in rivals:
            shown, scores[run][0]["variants"] = _variants(first, runs, {run: rivals[run]})
            parts.append(shown)
        if isinstance(rule, WithholdSensor):
            verified, periods = [one["ours"] for one in seeds], first[run].score.periods
            shown, scores[run][0]["pairs"] = pairs_table(verified, rule, periods)
            parts += [shown, refusals(verified[0], periods)]
        else:
            parts.append(_run_text(seeds))
        text.append(f"### {run}\n\n" + "\n\n".join(parts))
    if len(rivals) > 1:
        shown, compared = _variants(first, runs, rivals)
        scores["all"] = [{"variants": compared}]
        text.append("### All runs\n\n" + shown)
    elif len(scores) > 1 and any(f.field for f in found):
        numbers = sorted({f.seed for f in found})
        rows_ = [_field([r for f in found if f.seed == s for r in f.field], s) for s in numbers]
        scores["all"] = [{"in_situ": r} for r in rows_]
        text.append("### All runs\n\n" + _field_text(rows_))
    return "\n\n".join(text), scores


def _variants(
    first: Mapping[str, Found], runs: Mapping[str, list[dict[str, Any]]], rivals: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    """Runs beside their rivals, each in the first of its scored periods."""
    sides: list[Sides] = []
    for run, rival in rivals.items():
        start, end = next(iter(first[run].score.periods.values()), (-np.inf, np.inf))
        both = [[within(p["ours"], start, end) for p in runs[name]] for name in (run, rival)]
        sides.append((both[0], both[1]))
    names = next(iter(rivals.items())) if len(rivals) == 1 else ("the runs", "their rivals")
    return variants_table(names, sides)


def _pooled(parts: list[Found]) -> dict[str, Any]:
    """One seed: verification, baselines and field rows of all folds on one pixel axis."""
    said: Said = {}
    for key in parts[0].said:
        arrays = [p.said[key] for p in parts if key in p.said]
        said[key] = tuple(np.concatenate(a) for a in zip(*arrays, strict=True))  # type: ignore[assignment]
    ours = _concatenated([p.verification for p in parts])
    scores = by_part({case: summaries(ours, case) for case in map(str, ours.case.values)})
    scores["baselines"] = rows(said)
    scores["in_situ"] = _field([r for p in parts for r in p.field], parts[0].seed)
    refused = int(ours.rejected.sum())
    scores["refused"] = refused / max(1, int(np.isfinite(ours.observed.values).sum()))
    offset = np.cumsum([0, *(p.redrawn.label.max() + 1 for p in parts[:-1])])
    label = np.concatenate([p.redrawn.label + k for p, k in zip(parts, offset, strict=True)])
    redrawn = Units(label, parts[0].redrawn.words)
    leads = pooled_leads([(p.leads, k) for p, k in zip(parts, _starts(parts), strict=True)])
    if leads is not None:
        scores.setdefault("forecast", {}).update(lead_summaries(leads))
    return {"scores": scores, "ours": ours, "said": said, "redrawn": redrawn, "leads": leads}


def _starts(parts: Sequence[Found]) -> Array:
    """Where each part begins on the pooled pixel axis."""
    return np.cumsum([0, *(p.verification.sizes["pixel"] for p in parts[:-1])])


def _concatenated(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    return xr.concat(parts, "pixel") if len(parts) > 1 else parts[0]


def _field(found: Sequence[FieldRows], seed: int) -> dict[str, Any]:
    """Field rows of several folds or runs, pooled by title and scored."""
    parts = [r for r in found if len(r.measured)]
    titles = dict.fromkeys(r.title for r in parts)
    return field_scores([pooled_rows([r for r in parts if r.title == t]) for t in titles], seed)


def _run_text(pooled: list[dict[str, Any]]) -> str:
    scores = [p["scores"] for p in pooled]
    parts = []
    if "smoothed" in scores[0]:
        parts += [_withheld_text(pooled), _channels_text(scores)]
    if horizons_of(scores[0]):
        parts.append(_forecast_text(pooled))
    if scores[0]["in_situ"]:
        parts.append(_field_text([s["in_situ"] for s in scores]))
    share = np.mean([s["refused"] for s in scores])
    redrawn: Units = pooled[0]["redrawn"]
    brackets = f"Brackets: 95 % interval, {len(np.unique(redrawn.label))} {redrawn.words} redrawn. "
    compared = "smoothed" in scores[0] or "forecast" in scores[0]
    refused = f"Screening refused {100 * share:.1f} % of the values."
    parts.append((brackets if compared else "") + refused)
    return "\n\n".join(parts)


def _withheld_text(pooled: list[dict[str, Any]]) -> str:
    scores = [p["scores"] for p in pooled]
    body = [
        [
            "assimilation",
            *(over_seeds([s["smoothed"]["ndvi"][k] for s in scores]) for k in SHOWN),
            "",
            "",
        ]
    ]
    for name, parts in scores[0]["baselines"].items():
        row = parts.get("smoothed", {}).get("ndvi")
        if row:
            against = [_against(pooled, name, "smoothed", root) for root in (True, False)]
            body.append([name, *(f"{row[k]:.3f}" if k in row else "" for k in SHOWN), *against])
    head = ["withheld NDVI", *SHOWN, "RMSE against", "CRPS against"]
    return markdown(head, body)


def _channels_text(scores: list[dict[str, Any]]) -> str:
    linear = scores[0]["baselines"]["linear"]["smoothed"]
    names = [n for n in scores[0]["smoothed"] if n != "ndvi"]
    ours = {
        k: [[s["smoothed"][n][k] for s in scores] for n in names]
        for k in ("rmse", "crps", "coverage_90")
    }
    body = [
        ["RMSE, assimilation", *(over_seeds(v, 4) for v in ours["rmse"])],
        ["RMSE, linear", *(f"{linear[n]['rmse']:.4f}" for n in names)],
        ["CRPS, assimilation", *(over_seeds(v, 4) for v in ours["crps"])],
        ["CRPS, linear", *(f"{linear[n]['crps']:.4f}" for n in names)],
        ["90 % coverage", *(over_seeds(v, 2) for v in ours["coverage_90"])],
    ]
    return markdown(["withheld channels", *names], body)


def _forecast_text(pooled: list[dict[str, Any]]) -> str:
    scores = [p["scores"] for p in pooled]
    horizons = horizons_of(scores[0])
    body = []
    for score in ("rmse", "crps"):
        ours = [[s["forecast"][h]["ndvi"][score] for s in scores] for h in horizons]
        body.append([f"{score}, assimilation", *(over_seeds(v, 4) for v in ours)])
        for name, parts in scores[0]["baselines"].items():
            held = parts.get("forecast", {})
            if all("ndvi" in held.get(h, {}) for h in horizons):
                body.append(
                    [f"{score}, {name}", *(f"{held[h]['ndvi'][score]:.4f}" for h in horizons)]
                )
    for root in (True, False) if pooled[0]["leads"] is not None else (False,):
        for rival in RIVALS:
            if "forecast" in scores[0]["baselines"].get(rival, {}):
                line = [_against(pooled, rival, f"forecast_{h}", root) for h in horizons]
                body.append([f"{'rmse' if root else 'crps'} against {rival}", *line])
    covered = [[s["forecast"][h]["ndvi"]["coverage_90"] for s in scores] for h in horizons]
    body.append(["90 % coverage", *(over_seeds(v, 2) for v in covered)])
    return markdown(["NDVI forecast, days ahead", *horizons], body)


def _against(pooled: list[dict[str, Any]], rival: str, case: str, root: bool) -> str:
    """Relative difference of a loss on the same NDVI values, with its 95 % interval."""
    said: Said = pooled[0]["said"]
    cases = [
        c
        for (n, c, v) in said
        if n == rival and v == "ndvi" and (c == case or c.startswith(f"{case}_"))
    ]
    ours, theirs, groups = [], [], []
    for one in cases:
        observed, mean, crps = said[rival, one, "ndvi"]
        theirs.append((mean - observed) ** 2 if root else crps)
        labels = pooled[0]["redrawn"].label
        if mean.ndim == 1:  # along pairs
            held = [of_bin(p["leads"], one.removeprefix("forecast_")) for p in pooled]
            ours.append(np.mean([lead_losses(h, root) for h in held], 0))
            groups.append(labels[held[0]["place"].values])
            continue
        ours.append(np.mean([_loss(p["ours"], one, root) for p in pooled], 0))
        groups.append(np.broadcast_to(labels[:, None], mean.shape))
    if not ours:
        return ""
    flat = [np.concatenate([p.ravel() for p in parts]) for parts in (ours, theirs, groups)]
    change = paired_interval(flat[0], flat[1], flat[2], np.random.default_rng(0), root)
    return percent(change)


def _loss(ours: Any, case: str, root: bool) -> Array:
    """Squared error or CRPS of NDVI in a case, ``[pixel, date]``."""
    one = ours.sel(case=case, channel="ndvi")
    values = one["crps"]
    if root:
        values = (one["mean"] - ours.sel(channel="ndvi").observed) ** 2
    return np.asarray(values.transpose("pixel", "time").values, float)


def _field_text(scores: list[dict[str, Any]]) -> str:
    body = []
    for title, first in scores[0].items():
        for case in first:
            row: list[Row] = [s[title][case] for s in scores]
            line = [over_seeds([r[k] for r in row], 2) if k in row[0] else "" for k in FIELD[:-1]]
            body.append([f"{title}: {case}", *line, f"{row[0]['n']:.0f}"])
    return markdown(["field measurements", *FIELD], body)
