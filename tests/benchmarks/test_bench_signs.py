"""Signs of lesions against the truth of the sample study (``pytest -m benchmark -s`` on this file)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import hlhneuro
from hlhneuro.imaging import align, load_volume, prepare
from hlhneuro.imaging.transform_files import load_itk
from hlhneuro.lesions import measure_change, measure_signs, segment_lesions
from hlhneuro.settings import Settings

pytestmark = pytest.mark.benchmark

SETTINGS = Settings()
STATES = {"restricted_diffusion": {"restricted"}, "raised_diffusion": {"inflamed", "necrotic", "scar"}}


def drawn(truth: Path, subject: str, session, grid) -> np.ndarray:
    """Carry the lesions as they were drawn to the subject grid."""
    stem = f"sub-{subject}_ses-{session.label}"
    reference = session.reference.replace("ce-gadolinium_", "")
    to_truth = load_itk(
        truth / f"sub-{subject}/ses-{session.label}/{stem}_from-{reference}_to-truth_mode-points_xfm.txt"
    )
    labels = nib.load(truth / f"sub-{subject}/ses-{session.label}/{stem}_space-truth_desc-lesions_dseg.nii.gz")
    back = to_truth.after(session.to_subject[session.reference].inverse())
    index = np.linalg.inv(labels.affine) @ back.matrix @ grid.affine
    image = np.asarray(labels.dataobj).astype(np.int32)
    return ndimage.affine_transform(image, index[:3, :3], index[:3, 3], output_shape=grid.shape, order=0)


def test_signs_of_the_sample_study(sample_data: Path) -> None:
    truth = pd.read_csv(sample_data / "truth" / "lesions.tsv", sep="\t", na_values="n/a")
    rows = []
    for subject in hlhneuro.open_study(sample_data).subjects:
        ages = {visit.label: visit.age_years for visit in subject.sessions}
        prepared = [
            prepare(v.label, {s.contrast: load_volume(s.path, s.contrast) for s in v.images}, SETTINGS.prepare)
            for v in subject.sessions
        ]
        series = align(prepared, SETTINGS.align, ages_years=ages)
        lesions = segment_lesions(series, SETTINGS.lesions, ages)
        own = {s.label: drawn(sample_data / "truth", subject.label, s, series.grid) for s in series.sessions}
        change = replace(measure_change(series, lesions, SETTINGS.change), identities=own)
        known = replace(lesions, sessions=tuple(replace(s, mask=own[s.label] > 0) for s in lesions.sessions))
        for sign in measure_signs(series, known, change, SETTINGS.signs, ages).signs:
            here = truth[(truth.participant_id == f"sub-{subject.label}") & (truth.session_id == f"ses-{sign.session}")]
            row = here[here.lesion == sign.lesion]
            if row.empty or sign.sign not in {*STATES, "contrast_enhancement"}:
                continue
            expected = (
                float(row.enhancing.iloc[0]) == 1
                if sign.sign == "contrast_enhancement"
                else row.state.iloc[0] in STATES[sign.sign]
            )
            rows.append((sign.sign, "present" if expected else "absent", sign.answer.value))
    table = pd.DataFrame(rows, columns=["sign", "truth", "answer"])
    print("\n", table.groupby(["sign", "truth", "answer"]).size().unstack(fill_value=0).to_string())
    judged = table[table.answer != "not assessable"]
    assert len(judged) >= 0.9 * len(table)
    assert (judged.truth == judged.answer).mean() >= 0.95
