"""What an analysis says of its innovations: counts, reasons, and the way through a ledger."""

import json
from collections import Counter
from dataclasses import replace

import torch

from releo_da.assimilation.screening import KEPT, REASONS, screen
from releo_da.cycling.cycle import cycle
from releo_da.runs.judged import joined_judged, judge, plain, restored
from releo_da.types import Acquisition

from .linear import initial, linear_model


def step_of(model, values):
    """One turn over three pixels of two channels."""
    angles = torch.zeros(len(values), 3)
    error = torch.full_like(values, 0.02)
    acquisition = Acquisition(1.0, "sentinel2a", values, error, angles)
    ids = torch.arange(len(values))
    draws = model.draws(0, ids, values)
    state = initial(0.0, ids, 30, draws(0.0, "initial"))
    (step,) = cycle(state, [acquisition], model.system, draws, model.initial)
    return step


def counted(predicted, y, precision, used):
    code = screen(predicted, y, precision).masked_fill(used > 0, KEPT).flatten().long()
    counts = torch.bincount(code, minlength=len(REASONS)).tolist()
    return {r: n for r, n in zip(REASONS, counts, strict=True) if n and r != "kept"}


def test_values_that_no_rule_explains_are_refused_by_the_scheme() -> None:
    """One pixel is screened out, the analysis of another is not finite, the third is used."""
    model = linear_model()
    inner = model.analyse

    def broken(*arguments):
        result = inner(*arguments)
        ensemble = result.ensemble.clone()
        ensemble[1, 0, 0] = torch.inf
        return result._replace(ensemble=ensemble)

    model = replace(model, analyse=broken, reasons=counted)
    step = step_of(model, torch.tensor([[9.0, 9.0], [0.3, 0.3], [0.3, 0.3]]))
    found = judge(model, step, 4, model.observe(step.analysis.ensemble, step.acquisition).mean(1))
    assert found is not None
    assert (found.date, found.seen) == (4, 6)
    assert found.refused.pop("scheme") == 2 and found.refused.total() == 2
    assert found.recovered == Counter(background=1)
    assert (found.sums["values"], found.sums["pixels"]) == (2, 1)
    silent = replace(model, tally=None)
    assert judge(silent, step, 0, step.acquisition.values) is None


def test_a_ledger_gives_back_what_it_was_given() -> None:
    model = linear_model()
    step = step_of(model, torch.tensor([[0.3, 0.4], [0.2, 0.5]]))
    one = judge(model, step, 2, step.analysis.ensemble.mean(1))
    again = restored(json.loads(json.dumps(plain(one), allow_nan=False)), 2)
    assert again[:4] == one[:4]
    assert all(torch.equal(again.sums[name], part) for name, part in one.sums.items())
    (both,) = joined_judged([[one], [again]])
    assert both.seen == 2 * one.seen
    assert both.sums["chi2"] == 2.0 * one.sums["chi2"]
