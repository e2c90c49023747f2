from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy import SpectrumFit, SpectrumResult, VoxelComposition, comparable

SETTINGS = PatternSettings()
EMPTY = np.zeros(1)


def cube(shift: int = 0) -> VoxelComposition:
    """A cube of 20 voxels, moved along one axis."""
    mask = np.zeros((60, 30, 30), bool)
    mask[5 + shift : 25 + shift, 5:25, 5:25] = True
    return VoxelComposition(mask, 8.0, 1.0, None, None, None, None)


def result(**change: object) -> SpectrumResult:
    field_t = change.pop("field_t", 3.0)
    record = (("acquisition", {"field_t": field_t}),)
    fit = SpectrumFit(EMPTY, EMPTY, EMPTY, EMPTY, {}, pd.DataFrame(), {}, record)
    plain = SpectrumResult("01", "svs", 0.03, "press", True, fit, cube(), ())
    return replace(plain, **change)


@pytest.mark.parametrize(("shift", "may"), [(0, True), (5, True), (7, False), (21, False)])
def test_voxels_have_to_overlap(shift, may):
    found, reasons = comparable(result(), result(session="02", voxel=cube(shift)), SETTINGS)
    assert found is may
    assert f"overlap by {max(0, 20 - shift) / 20:.0%}" in reasons[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"echo_time_s": 0.144}, "echo times differ: 30 and 144 ms"),
        ({"echo_time_s": None}, "echo time is not known"),
        ({"sequence": "slaser"}, "sequences differ: press and slaser"),
        ({"sequence": None}, "sequence is not known"),
        ({"field_t": 1.5}, "fields differ: 3.00 and 1.50 T"),
        ({"fit": None, "reason": "the FID is zero"}, "field is not known"),
        ({"voxel": None}, "session 02 has no aligned images"),
        ({"voxel": replace(cube(), mask=np.zeros((2, 2, 2), bool))}, "different grids"),
        ({"voxel": replace(cube(), mask=np.zeros((60, 30, 30), bool))}, "overlap by 0%"),
    ],
)
def test_what_differs_or_is_not_known_forbids_a_comparison_and_is_said(change, words):
    found, reasons = comparable(result(), result(session="02", **change), SETTINGS)
    assert not found
    assert words in "; ".join(reasons)


def test_fields_of_one_class_are_alike():
    assert comparable(result(), result(field_t=2.89), SETTINGS)[0]


@given(st.integers(0, 20), st.sampled_from([0.03, 0.0315, 0.144, None]), st.sampled_from([1.5, 2.89, 3.0]))
def test_the_order_of_the_two_does_not_matter(shift, echo_time_s, field_t):
    other = result(voxel=cube(shift), echo_time_s=echo_time_s, field_t=field_t)
    assert comparable(result(), other, SETTINGS)[0] is comparable(other, result(), SETTINGS)[0]
