"""The clinical tables on their way through a run: a cell that cannot be used is told, the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from hlhneuro.cli import main
from hlhneuro.pipeline import load_subject


def study_of_two(root: Path) -> Path:
    """Two patients of whom nothing but a useless image and the tables is there."""
    for label in ("01", "02"):
        folder = root / f"sub-{label}" / "ses-01" / "anat"
        folder.mkdir(parents=True)
        image = nib.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4))
        image.to_filename(folder / f"sub-{label}_ses-01_T1w.nii.gz")
        sessions = "session_id\tacq_time\tage\nses-01\t2021-03-02\t4\n"
        (root / f"sub-{label}" / f"sub-{label}_sessions.tsv").write_text(sessions)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "made", "BIDSVersion": "1.10.0"}))
    (root / "phenotype").mkdir()
    (root / "phenotype" / "clinical.tsv").write_text(
        "participant_id\tdate\tneurological_symptoms\tcsf_cells_per_ul\tcsf_protein_mg_per_l\n"
        "sub-01\t2021-03-01\tpresent\t14\t0.41\n"
        "sub-02\t2021-03-01\tabsent\t2\t210\n"
    )
    (root / "phenotype" / "treatment.tsv").write_text("participant_id\tevent\tstart_date\nsub-01\tIT MTX\t2021-02-20\n")
    return root


def answers(out: Path, label: str) -> dict[str, str]:
    account = json.loads((out / f"sub-{label}" / f"sub-{label}_findings.json").read_text("utf-8"))
    return {finding["code"]: finding["answer"] for finding in account["findings"] if finding["kind"] == "clinical"}


def test_a_wrong_cell_becomes_a_row_of_the_account_and_all_else_is_answered(tmp_path: Path) -> None:
    study, out = study_of_two(tmp_path / "study"), tmp_path / "out"
    assert main(["run", str(study), str(out), "participant", "-q"]) == 1
    status = pd.read_csv(out / "status.tsv", sep="\t", dtype=str)
    (row,) = status[status["stage"] == "clinical"].to_dict("records")
    assert (row["subject"], row["state"]) == ("01", "failed")
    assert "clinical.tsv, row 2: csf_protein_mg_per_l 0.41 lies outside" in row["reason"]
    found = answers(out, "01")
    assert (found["neurological_symptoms"], found["csf_cells_raised"]) == ("present", "present")
    assert (found["csf_protein_raised"], found["horne_group"]) == ("not assessable", "present")
    assert found["recent_intrathecal_methotrexate"] == "present"
    account = json.loads((out / "sub-01" / "sub-01_findings.json").read_text("utf-8"))
    told = [finding["code"] for finding in account["findings"] if finding["reason"] == row["reason"]]
    assert told == ["clinical_table_problem"]  # once, and not again as a stage that failed
    assert answers(out, "02")["horne_group"] == "absent"
    assert answers(out, "02")["seizure_recorded"] == "not assessable"
    record = load_subject(out, "01").clinical  # kept beside the results, without the study
    assert record.observations[0].amounts["csf_cells_per_ul"].value == 14.0
    assert len(record.problems) == 1
