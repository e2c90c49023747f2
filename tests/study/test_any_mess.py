"""Whatever lies in a study folder, opening and checking it ends in sentences and never in a crash."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hlhneuro.study import StudyCheck, check_study, open_study, read_clinical, read_treatment

FOLDERS = st.sampled_from(
    ["", "sub-01", "sub-01/ses-1", "sub-01/ses-1/anat", "sub-01/anat", "sub-01/ses-2/mrs", "phenotype"]
)
NAMES = st.sampled_from(
    [
        "participants.tsv",
        "participants.json",
        "sessions.json",
        "T1w.json",
        "dataset_description.json",
        "treatment.tsv",
        "clinical.tsv",
        "sub-01_clinical.tsv",
        "sub-01_sessions.tsv",
        "sub-01_sessions.json",
        "sub-01_ses-1_scans.tsv",
        "sub-01_ses-1_T1w.nii.gz",
        "sub-01_T1w.nii",
        "sub-01_ses-1_T1w.json",
        "sub-01_ses-2_svs.nii.gz",
        "sub-01_ses-1_run-1_T1w.nii.gz",
        "sub-01_ses-1_.nii.gz",
        "sub--_T1w.nii.gz",
        "_.nii",
        "sub-01_ses-1_ce-_T1w.nii.gz",
        "sub-01_ses-1_run-x_T1w.nii.gz",
        "sub-01_events.tsv",
    ]
)
CONTENTS = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"participant_id\tage\tsex\nsub-01\t\xff\t1\n",
            b"session_id\tacq_time\tage\nses-1\t2020-99-01\t-3\nses-1\t\t\n",
            b"session_id\tsession_id\n1\t2\n",
            b"\t\t\n\t\n",
            b'{"age": {"Units": 3}, "EchoTime": {}}',
            b'{"age": 3}',
            b"null",
            b"event\tstart_date\n\t\n",
            b"date\tferritin_ug_per_l\tdate\n2020-01-01\t1\t2\n",
            b"participant_id\tdate\tcsf_cells_per_ul\nsub-01\t2020-01-01\t<<3\n\tx\t1e400\n",
            b"filename\tacq_time\n\t\nx\t2020-01-01\n",
            b"\x1f\x8b\x08\x00",
            b"[" * 3000,
        ]
    ),
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.tuples(FOLDERS, NAMES), CONTENTS, max_size=8))
def test_no_content_makes_it_crash(files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "study"
        (root / "sub-01").mkdir(parents=True)
        for (place, name), content in files.items():
            (root / place).mkdir(parents=True, exist_ok=True)
            (root / place / name).write_bytes(content)
        study = open_study(root)
        read_treatment(study)
        read_clinical(study, study.subjects[0])
        assert [subject.label for subject in study.subjects] == ["01"]
        check = check_study(study)
        assert isinstance(check, StudyCheck)
        assert len(check.to_frame()) == len(check.rows)
        nifti = {name for (_, name), _ in files.items() if name.endswith((".nii", ".nii.gz"))}
        told = " ".join(row.item + row.consequence for row in check.rows)
        # No image is ever passed over in silence: these hold no image, so each is named or one stands for its contrast.
        in_session = {name for (place, name) in files if place.startswith("sub-01") and name in nifti}
        assert all(name in told for name in in_session)
