from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlhneuro.errors import InputError
from hlhneuro.phantom import Head, LesionCourse, Moment, map_lesions
from hlhneuro.phantom.lesions import LesionMap

SESSIONS = ("01", "02")


def course(volumes: tuple[float, float], state: str = "inflamed", **how: object) -> LesionCourse:
    facts: dict = {
        "name": "x",
        "territory": "deep white matter",
        "side": "left",
        "centre_mm": (-26.0, -16.0, 32.0),
        "axes_mm": (1.0, 1.3, 1.0),
    } | how
    return LesionCourse(
        moments={label: Moment(volume, state) for label, volume in zip(SESSIONS, volumes, strict=True)}, **facts
    )


def volume_ml(head: Head, drawn: LesionMap) -> float:
    return float(drawn.mask.sum() * head.grid.voxel_volume_ml)


@given(first=st.floats(0.1, 6.0), second=st.floats(0.1, 6.0))
@settings(max_examples=8, deadline=None)
def test_the_mask_has_the_volume_that_was_asked_for_and_growth_contains_the_former_lesion(
    head: Head, first: float, second: float
) -> None:
    before, after = map_lesions(head, [course((first, second))], SESSIONS, seed=1)
    voxel_ml = head.grid.voxel_volume_ml
    assert volume_ml(head, before) == pytest.approx(first, abs=voxel_ml)
    assert volume_ml(head, after) == pytest.approx(second, abs=voxel_ml)
    small, large = sorted((before.mask, after.mask), key=np.sum)
    assert not (small & ~large).any()


def test_a_lesion_lies_where_it_was_put(head: Head) -> None:
    (drawn, _) = map_lesions(head, [course((2.0, 2.0))], SESSIONS, seed=1)
    centroid = head.template_mm[:, drawn.mask].mean(axis=1)
    assert np.linalg.norm(centroid - [-26.0, -16.0, 32.0]) < 5.0


def test_a_resolved_lesion_is_gone_and_a_new_one_was_not_there(head: Head) -> None:
    drawn = map_lesions(head, [course((1.0, 0.0)), course((0.0, 1.0), centre_mm=(26.0, 3.0, 2.0))], SESSIONS, seed=1)
    assert [set(np.unique(each.identities)) for each in drawn] == [{0, 1}, {0, 2}]
    assert drawn[1].total[drawn[0].identities == 1].max() == 0


def test_a_periventricular_lesion_hugs_the_ventricle_in_white_matter(head: Head) -> None:
    lesion = course((6.0, 6.0), centre_mm=(-22.0, 28.0, 10.0), shape="periventricular", tissue="wm")
    (drawn, _) = map_lesions(head, [lesion], SESSIONS, seed=1)
    distance_mm = head.ventricle_distance_mm[drawn.mask]
    assert np.median(distance_mm) < 8.0
    assert distance_mm.min() < 3.0
    assert (head.fractions["wm"][drawn.mask] > 0.5).all()


def test_fractions_never_exceed_the_voxel_where_lesions_meet(head: Head) -> None:
    near = course((3.0, 3.0), state="necrotic", centre_mm=(-26.0, -10.0, 32.0))
    for drawn in map_lesions(head, [course((3.0, 3.0)), near], SESSIONS, seed=1):
        assert set(drawn.fractions) == {("inflamed", False), ("necrotic", False)}
        assert drawn.total.max() <= 1 + 1e-6
        assert {1, 2} <= set(np.unique(drawn.identities))


def test_edges_are_soft(head: Head) -> None:
    (drawn, _) = map_lesions(head, [course((3.0, 3.0))], SESSIONS, seed=1)
    partial = (drawn.total > 0.05) & (drawn.total < 0.95)
    assert partial.sum() > 0.2 * drawn.mask.sum()


def test_a_lesion_larger_than_its_tissue_is_refused(head: Head) -> None:
    with pytest.raises(InputError, match="does not fit") as caught:
        map_lesions(head, [course((2000.0, 2000.0), name="huge", centre_mm=(0.0, -26.0, -32.0))], SESSIONS, seed=1)
    assert caught.value.field == "huge"
