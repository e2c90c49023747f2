import numpy as np
import pytest

from hlhneuro.lesions.uncertainty import mask_errors, volume_errors
from hlhneuro.settings import LesionSettings
from tests.lesions.made import GRID, box, made

SMALL, LARGE = ((4, 5, 5), (8, 9, 9)), ((14, 5, 5), (24, 15, 15))


def errors_of(*boxes, witness="FLAIR", **how):
    series, lesions = made(box(*boxes), **how)
    return mask_errors(lesions.sessions[0].mask, series.sessions[0], witness, GRID, LesionSettings())


def test_nothing_has_no_error():
    errors = errors_of()
    assert errors.load_sd_ml == errors.border_sd_ml == 0


@pytest.mark.parametrize("worse", [{"contrast": 0.1}, {"noise": 0.1}, {"slice_mm": 4.0}])
def test_faint_lesions_noise_and_thick_slices_widen_the_error(worse):
    assert errors_of(LARGE, **worse).load_sd_ml > 1.1 * errors_of(LARGE).load_sd_ml


def test_a_larger_lesion_has_a_larger_error_and_a_smaller_relative_one():
    small, large = (errors_of(b).load_sd_ml for b in (SMALL, LARGE))
    assert small < large
    assert small / box(SMALL).sum() > large / box(LARGE).sum()


def test_the_load_of_two_lesions_shares_the_common_part():
    both, small, large = errors_of(SMALL, LARGE), errors_of(SMALL), errors_of(LARGE)
    assert both.common_ml.sum() == pytest.approx(small.common_ml.sum() + large.common_ml.sum())
    assert np.hypot(small.load_sd_ml, large.load_sd_ml) < both.load_sd_ml < small.load_sd_ml + large.load_sd_ml


def test_what_both_sessions_share_drops_out_of_a_change():
    series, lesions = made(box(LARGE), box(LARGE))
    masks = [s.mask.astype(np.int32) for s in lesions.sessions]
    one, two = (
        volume_errors(mask, 1, session, "FLAIR", GRID, LesionSettings())
        for mask, session in zip(masks, series.sessions, strict=True)
    )
    assert two.net_sd_ml(one) == pytest.approx(one.net_sd_ml(two)) == pytest.approx(two.change_sds_ml(one)[1])
    assert two.net_sd_ml(one) < one.load_sd_ml
    gone = volume_errors(np.zeros_like(masks[1]), 1, series.sessions[1], "FLAIR", GRID, LesionSettings())
    assert gone.net_sd_ml(one) == pytest.approx(one.load_sd_ml)


def test_a_mask_from_elsewhere_has_only_the_error_of_sampling():
    errors = errors_of(LARGE, witness=None)
    assert 0 < errors.load_sd_ml < errors_of(LARGE).load_sd_ml
    assert errors.border_sd_ml == 0
