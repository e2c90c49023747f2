"""The spectra of a session, in memory: a verb that a notebook can call alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import hlhneuro


def test_every_spectrum_of_a_session_is_fitted(sample_data: Path) -> None:
    session = hlhneuro.open_study(sample_data).subject("01").sessions[0]  # type: ignore[union-attr]
    results = hlhneuro.fit_spectra(session)
    assert [result.name for result in results] == ["acq-long", "acq-short"]
    assert [result.echo_time_s for result in results] == [pytest.approx(0.144), pytest.approx(0.03)]
    for result in results:
        assert result.fit is not None
        assert result.water_reference
        assert result.voxel is None  # no images were given
        table = result.fit.concentrations.set_index("metabolite")
        assert np.isfinite(table.loc["tNAA", "ratio_to_tcr"])
        assert "fit_seconds" not in result.fit.quality


def test_a_spectrum_that_cannot_be_read_says_why_and_the_other_is_fitted(sample_data: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(sample_data, study, ignore=shutil.ignore_patterns("truth", "sub-02", "ses-02", "ses-03", "dwi"))
    broken = study / "sub-01/ses-01/mrs/sub-01_ses-01_acq-long_svs.nii.gz"
    broken.write_bytes(broken.read_bytes()[:500])
    results = hlhneuro.fit_spectra(hlhneuro.open_study(study).subjects[0].sessions[0])
    assert [result.fit is None for result in results] == [True, False]
    assert broken.name in results[0].reason
    assert "Remedy" in results[0].reason
