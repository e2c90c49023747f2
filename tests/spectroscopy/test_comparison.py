from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlhneuro.settings import PatternSettings
from hlhneuro.spectroscopy import SpectrumFit, SpectrumResult, VoxelComposition, comparable, mirrored

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
        ({"voxel": None}, "that of session 02 has no place on the anatomy"),
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


def boxed(centre_x: float, midplane: tuple[float, ...] | None = (1.0, 0.0, 0.0, -2.0)) -> VoxelComposition:
    box = ((20.0, 0.0, 0.0, centre_x), (0.0, 20.0, 0.0, 5.0), (0.0, 0.0, 20.0, 5.0), (0.0, 0.0, 0.0, 1.0))
    return replace(cube(), box=box, midplane=midplane)


@pytest.mark.parametrize(("centre_x", "may", "share"), [(-26.0, True, 1.0), (-20.0, True, 0.7), (-12.0, False, 0.3)])
def test_a_mirror_voxel_lies_where_the_mirror_says(centre_x, may, share):
    # The middle of the head is at x = 2 mm: the mirror of 30 is -26.
    found, reasons = mirrored(result(voxel=boxed(30.0)), result(voxel=boxed(centre_x)), SETTINGS)
    assert found is may
    told = float(reasons[0].split("by ")[1].split("%")[0]) / 100
    assert told == pytest.approx(share, abs=0.03)


def test_a_mirror_without_a_mid_plane_is_believed_and_one_of_another_echo_time_is_not():
    found, reasons = mirrored(result(voxel=boxed(30.0, None)), result(voxel=boxed(-26.0, None)), SETTINGS)
    assert found
    assert "label is believed" in reasons[0]
    other = result(voxel=boxed(-26.0), echo_time_s=0.144)
    assert not mirrored(result(voxel=boxed(30.0)), other, SETTINGS)[0]
