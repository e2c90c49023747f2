"""Known lesions in a subject's own images go through the whole pipeline and come back."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hlhneuro.errors import StudyError
from hlhneuro.pipeline import RunOutcome
from hlhneuro.pipeline.recovery import recover
from hlhneuro.settings import RecoverySettings, Settings
from hlhneuro.study import read_table
from tests.pipeline.conftest import checksums


@pytest.mark.slow
def test_known_lesions_come_back_and_the_raw_study_is_left_alone(
    lean_study: Path, lean_outcome: RunOutcome, coarse: Settings, tmp_path: Path
) -> None:
    before = checksums(lean_study)
    shutil.copytree(lean_outcome.out, tmp_path / "as_it_is")
    settings = replace(coarse, recovery=RecoverySettings(volumes_ml=(1.0, 3.0), contrast=0.5))
    outcome = recover(lean_study, tmp_path, participants=["02"], settings=settings)
    assert checksums(lean_study) == before
    assert outcome.exit_status == 0, outcome.troubles
    table = read_table(tmp_path / "recovery.tsv")
    known = table[table["place"].notna()]
    assert list(known["true_ml"]) == [1.0, 3.0]
    assert known["found"].astype(bool).all()
    assert set(known["status"]) == {"new"}
    np.testing.assert_allclose(known["measured_ml"] / known["true_ml"], 1.0, atol=0.5)  # 2 mm images, one contrast


def test_what_is_put_in_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="contrast"):
        recover(tmp_path, tmp_path / "out", settings=Settings(recovery=RecoverySettings(contrast=0.0)))
