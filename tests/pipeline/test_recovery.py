"""Known lesions in a subject's own images go through the whole pipeline and come back."""

from __future__ import annotations

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
    lean: tuple[Path, RunOutcome], recovered: Path, sample_data: Path
) -> None:
    raw, given = checksums(lean[0]), checksums(sample_data)
    assert all(raw[name] == given[name] for name in raw if name.endswith(".nii.gz"))
    status = read_table(recovered / "with_lesions" / "status.tsv")
    assert set(status["state"]) == {"done"}
    table = read_table(recovered / "recovery.tsv")
    known = table[table["place"].notna()]
    assert list(known["true_ml"]) == [0.3, 1.0, 3.0]
    large = known[known["true_ml"] >= 1.0]
    assert large["found"].astype(bool).all()
    assert set(large["status"]) == {"new"}
    np.testing.assert_allclose(large["measured_ml"] / large["true_ml"], 1.0, atol=0.5)  # 2 mm images, one contrast


def test_what_is_put_in_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="contrast"):
        recover(tmp_path, tmp_path / "out", settings=Settings(recovery=RecoverySettings(contrast=0.0)))
