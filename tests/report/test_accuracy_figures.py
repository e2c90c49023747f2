"""Figures of how far to trust what is measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hlhneuro.errors import NotAssessable
from hlhneuro.report.figures.accuracy import coverage
from hlhneuro.report.figures.style import show_in_notebook


def test_coverage_counts_what_lies_within_each_multiple_of_the_stated_error() -> None:
    table = pd.DataFrame({"quantity": "tNAA", "error": [0.5, -1.5, 2.5, -9.0], "sd": 1.0})
    (ax,) = coverage(table).axes
    stated, found = ax.lines[:2]
    multiples, part = (np.asarray(values, dtype=float) for values in found.get_data())
    assert [float(np.interp(at, multiples, part)) for at in (0.4, 1.0, 2.0, 3.0)] == [0.0, 0.25, 0.5, 0.75]
    assert np.interp(1.96, *stated.get_data()) == pytest.approx(0.95, abs=1e-3)
    with pytest.raises(NotAssessable):
        coverage(table.iloc[:0])


def test_outside_of_a_notebook_nothing_is_set() -> None:
    show_in_notebook()
