"""What is assimilated, hidden and asked, in one order of time."""

from __future__ import annotations

import math

import torch

from releo_da.runs.timeline import hide, merged, on_rows, requests, where_seen
from releo_da.types import Acquisition


def acquisition(time: float, product: str = "") -> Acquisition:
    values = torch.full((3, 2), 0.3)
    return Acquisition(
        time, "s", values, torch.full_like(values, 0.1), torch.full((3, 3), time), product
    )


def test_hidden_pixels_keep_their_values_and_lose_their_weight() -> None:
    a = acquisition(1.0)
    b = hide(a, torch.tensor([True, False, True]))
    assert torch.equal(b.values, a.values)
    assert (b.error[[0, 2]] == math.inf).all()
    assert torch.equal(b.error[1], a.error[1])
    assert b.seen.any(-1).tolist() == [False, True, False]
    assert a.seen.all()  # the input is as it was


def test_requests_have_no_channels_and_the_angles_of_the_nearest_pass() -> None:
    passes = [acquisition(t) for t in (1.0, 6.0, 11.0)]
    asked = requests([9.0, 2.0, 2.0, 30.0], passes)
    assert [a.time for a in asked] == [2.0, 9.0, 30.0]
    assert [float(a.angles[0, 0]) for a in asked] == [1.0, 11.0, 11.0]
    assert all(a.values.shape == (3, 0) and a.error.shape == (3, 0) for a in asked)
    assert not any(a.sensor for a in asked)


def test_a_request_comes_after_the_acquisitions_of_its_time() -> None:
    passes = [acquisition(1.0, "a"), acquisition(6.0, "b"), acquisition(6.0, "c")]
    line = merged(passes, requests([6.0, 0.5, 1.0], passes))
    assert [(a.time, a.product) for a in line] == [
        (0.5, ""), (1.0, "a"), (1.0, ""), (6.0, "b"), (6.0, "c"), (6.0, ""),
    ]  # fmt: skip
    assert merged(passes, []) == passes


def test_the_operator_runs_on_the_pixels_that_were_seen() -> None:
    """What is seen of a pixel is predicted as before, and nothing of the others."""
    ensemble = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(0))
    angles = torch.arange(4.0)[:, None].expand(4, 3)
    sizes = []

    def observe(members: torch.Tensor, acquisition: Acquisition) -> torch.Tensor:
        sizes.append(len(members))
        return members * acquisition.angles[:, None, :1] + acquisition.values[:, None]

    values = torch.rand(4, 2, generator=torch.Generator().manual_seed(1))
    error = torch.tensor([[0.1, 0.1], [torch.inf, torch.inf], [torch.inf, 0.1], [0.1, 0.1]])
    some = Acquisition(1.0, "sentinel2a", values, error, angles)
    found, whole = where_seen(observe)(ensemble, some), observe(ensemble, some)
    assert torch.equal(found[[0, 2, 3]], whole[[0, 2, 3]])
    assert torch.equal(found[1], torch.zeros(3, 2))
    everything = some._replace(error=torch.ones(4, 2))
    assert torch.equal(where_seen(observe)(ensemble, everything), whole)
    assert sizes == [3, 4, 4]


def test_an_operator_on_some_rows_leaves_the_others_as_they_are_known() -> None:
    ensemble = torch.rand(3, 4, 2, generator=torch.Generator().manual_seed(0))
    a = acquisition(2.0)
    sizes = []

    def twice(ensemble: torch.Tensor, acquisition: Acquisition) -> torch.Tensor:
        sizes.append((len(ensemble), len(acquisition.angles)))
        return 2.0 * ensemble

    rows, known = torch.tensor([True, False, True]), torch.full((3, 4, 2), 7.0)
    found = on_rows(twice, ensemble, a, rows, known)
    assert torch.equal(found[rows], 2.0 * ensemble[rows])
    assert torch.equal(found[1], known[1])
    assert torch.equal(on_rows(twice, ensemble, a, rows)[1], torch.zeros(4, 2))
    assert on_rows(twice, ensemble, a, rows & False, known) is known
    assert sizes == [(2, 2), (2, 2)]  # and not at all where nothing is asked
