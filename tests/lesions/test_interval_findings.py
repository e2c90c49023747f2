"""What is said of two sessions that cannot be compared, and of lesions within the error of their volume."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hlhneuro.answers import Answer
from hlhneuro.imaging.volumes import Grid
from hlhneuro.lesions.change import IntervalChange, LesionChange
from hlhneuro.lesions.interval_findings import INTERVAL_QUESTIONS, incomparable, interval_findings, lesions_compared
from hlhneuro.lesions.series import LesionSeries, SessionLesions

GRID = Grid((2, 2, 2), np.eye(4))
EMPTY = np.zeros(GRID.shape)


def lesions(*contrasts, supplied=""):
    sessions = tuple(
        SessionLesions(f"{n:02d}", EMPTY, EMPTY > 0, 1.0, 0.1, own, "full", "", supplied=supplied)
        for n, own in enumerate(contrasts, 1)
    )
    return LesionSeries(GRID, sessions, {}, EMPTY.astype(np.int16), {})


def change(*volumes, status="new"):
    interval = IntervalChange("01", "02", EMPTY.astype(np.uint8), sum(v for v, _ in volumes), 0, 0, 0, 0, 0.1, 0.2, 0.4)
    rows = [
        {"lesion": n, "session": "02", "territory": "thalamus", "side": "left", "status": status, "parts": 1}
        | {"change_ml": volume, "change_sd_ml": sd, "smallest_real_change_ml": 1.96 * sd}
        for n, (volume, sd) in enumerate(volumes, 1)
    ]
    columns = [
        "session",
        "status",
        "side",
        "territory",
        "parts",
        "change_ml",
        "change_sd_ml",
        "smallest_real_change_ml",
    ]
    return LesionChange((interval,), {}, pd.DataFrame(rows, columns=None if rows else columns), pd.DataFrame())


def test_sessions_without_a_common_contrast_are_not_assessable():
    unlike = lesions(("FLAIR", "T1w"), ("T2w", "T1w"))
    found = list(interval_findings(change((0.2, 0.01)), unlike))
    assert {f.code for f in found} == set(INTERVAL_QUESTIONS)
    assert all(f.answer is Answer.NOT_ASSESSABLE and "needs the same" in f.reason for f in found)
    table = lesions_compared(change((0.2, 0.01)), unlike)
    assert list(table["status"]) == ["not comparable"]
    assert table["change_ml"].isna().all()


@pytest.mark.parametrize("contrasts", [(("FLAIR",), ("FLAIR", "T2w")), (("T2w",), ("T2w", "T1w"))])
def test_sessions_with_a_common_contrast_are_compared(contrasts):
    assert not incomparable(lesions(*contrasts), "01", "02")


def test_supplied_masks_are_compared_whatever_they_were_drawn_on():
    assert not incomparable(lesions(("FLAIR",), ("T2w",), supplied="mask.nii.gz"), "01", "02")


@pytest.mark.parametrize(
    ("volumes", "answer"),
    [
        ([(0.1, 1.1)], Answer.NOT_ASSESSABLE),
        ([(0.1, 1.1), (0.1, 0.02)], Answer.PRESENT),
        ([(0.1, 0.06), (0.1, 0.06), (0.1, 0.06)], Answer.PRESENT),
        ([], Answer.ABSENT),
    ],
)
def test_a_new_lesion_within_its_error_is_neither_present_nor_absent(volumes, answer):
    both = lesions(("FLAIR",), ("FLAIR",))
    found = {f.code: f for f in interval_findings(change(*volumes), both)}
    assert found["new_lesions"].answer is answer


def test_doubts_name_their_session_once():
    both = lesions(("FLAIR",), ("FLAIR",))
    told = replace(both.sessions[1], confidence="reduced", reason="02 FLAIR: the field of view ends inside the brain")
    doubtful = replace(both, sessions=(both.sessions[0], told))
    found = next(interval_findings(change((0.1, 0.01)), doubtful))
    assert found.reason.endswith("; ses-02: FLAIR: the field of view ends inside the brain")
