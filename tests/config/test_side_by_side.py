"""Units of work in processes of their own, their results in order."""

from __future__ import annotations

import os
from operator import methodcaller

import pytest

from releo_da.config.side_by_side import side_by_side


def test_units_are_done_in_other_processes_and_come_back_in_order() -> None:
    assert side_by_side(abs, [-1, 2, -3], "sizes", True, str) == [1, 2, 3]
    assert os.getpid() not in side_by_side(methodcaller("__call__"), [os.getpid], "", True, str)


def test_an_error_of_a_unit_is_that_of_the_whole() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(methodcaller("__floordiv__", 0), [1], "", True, str)
