"""What is read back is what was written, to the last bit."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from hlhneuro.imaging import Grid
from hlhneuro.lesions import IntervalChange, LesionChange
from hlhneuro.pipeline.stores.fits import fit_from_json, fit_to_json
from hlhneuro.pipeline.stores.images import ImageStore, split_contrast
from hlhneuro.pipeline.stores.plain import frame_from_json, frame_to_json, grid_from_json, grid_to_json
from hlhneuro.pipeline.stores.study import keep_told
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.settings import Settings
from hlhneuro.spectroscopy import SpectrumFit
from hlhneuro.study import ClinicalRecord, Provenance, Scan, Session, Study, Subject, TreatmentEvent
from hlhneuro.study.observations import Amount, Observation

REALS = st.floats(allow_nan=False, allow_infinity=False)


def through_a_file(content: object) -> object:
    return json.loads(json.dumps(content, allow_nan=False))


@given(st.lists(st.tuples(st.text(max_size=5), REALS, st.integers(-9, 9), st.booleans())))
def test_a_table_keeps_every_digit(rows: list[tuple[str, float, int, bool]]) -> None:
    frame = pd.DataFrame(rows, columns=["name", "value", "count", "known"])
    assert_frame_equal(frame_from_json(through_a_file(frame_to_json(frame))), frame, check_exact=True)


@given(st.lists(REALS, min_size=16, max_size=16))
def test_a_grid_keeps_every_digit(values: list[float]) -> None:
    grid = Grid((3, 4, 5), np.array(values).reshape(4, 4))
    back = grid_from_json(through_a_file(grid_to_json(grid)))
    assert back.shape == grid.shape
    assert np.array_equal(back.affine, grid.affine)


def test_a_fit_keeps_every_digit() -> None:
    rng = np.random.default_rng(3)
    curve = rng.standard_normal(9) + 1j * rng.standard_normal(9)
    table = pd.DataFrame({"metabolite": ["NAA"], "concentration": [np.pi], "detected": [True]})
    fit = SpectrumFit(
        ppm=rng.standard_normal(9), data=curve, fit=curve / 3, baseline=curve / 7, components={"NAA": curve / 9},
        concentrations=table, quality={"snr": 1 / 3, "reasons": ["narrow"]}, record=(("average", {"n": 8}),),
    )  # fmt: skip
    back = fit_from_json(through_a_file(fit_to_json(fit)))
    for name in ("ppm", "data", "fit", "baseline"):
        assert np.array_equal(getattr(back, name), getattr(fit, name))
    assert np.array_equal(back.components["NAA"], fit.components["NAA"])
    assert_frame_equal(back.concentrations, table, check_exact=True)
    assert (back.quality, back.record) == (fit.quality, fit.record)


def test_contrast_names_become_bids_entities() -> None:
    assert split_contrast("FLAIR") == ({}, "FLAIR")
    assert split_contrast("ce-gadolinium_T1w") == ({"ce": "gadolinium"}, "T1w")


def test_the_whole_course_of_change_is_kept_beside_the_intervals(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    grid = Grid((3, 4, 5), np.eye(4))

    def interval(before: str, after: str) -> IntervalChange:
        codes = rng.integers(0, 6, grid.shape).astype(np.uint8)
        return IntervalChange(before, after, codes, *(float(x) for x in rng.standard_normal(8)))

    identities = {label: rng.integers(0, 3, grid.shape).astype(np.int32) for label in ("01", "02", "03")}
    empty = pd.DataFrame({"session": ["01"]})
    steps = (interval("01", "02"), interval("02", "03"))
    change = LesionChange(steps, identities, empty, empty, first_to_last=interval("01", "03"))
    store = ImageStore(tmp_path, "01", Provenance("change"))
    kept = store.keep_change(change, grid)
    assert sum("desc-changefromfirst_dseg" in path.name for path in kept.files) == 2  # the map and what its labels mean
    payload = through_a_file(kept.payload)
    assert isinstance(payload, dict)
    for one, other in zip(store.recall_change(payload).compared, change.compared, strict=True):
        for field in fields(IntervalChange):
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name))


def some_task(folder: Path, controls: Path) -> SubjectRun:
    day = dt.date(2021, 3, 2)
    path = folder / "study" / "sub-01" / "ses-01" / "anat" / "sub-01_ses-01_T1w.nii.gz"
    sidecar = {"EchoTime": 0.005, "DeviceSerialNumber": "4711", "StationName": "MR3", "InstitutionName": "here"}
    scan = Scan(path, "anat", "T1w", {"sub": "01", "ses": "01"}, sidecar)
    visits = (
        Session("01", "01", day, 4.4, (scan,), (), (), (f"{path}: bad",), {"scanner": "x"}),
        Session("01", "02", None, None, (), (), ()),
    )
    record = ClinicalRecord(
        (TreatmentEvent("01", "HSCT", day, None, "a\tb"), TreatmentEvent("01", "unknown", None)),
        (Observation("01", day, True, {"csf_cells_per_ul": Amount(5.0, "<")}, "note"), Observation("01", None)),
        (f"{folder / 'study' / 'phenotype'}: bad",),
    )
    subject = Subject("01", None, visits, ("one",), {"trigger": "EBV"})
    settings = replace(
        Settings(),
        template=replace(Settings().template, path=str(folder / "home" / "infant")),
        patterns=replace(Settings().patterns, norm_controls=str(controls)),
    )
    task = SubjectRun(Study(folder / "study", "made", (subject,)), subject, folder / "out", settings)
    vars(task)["clinical"] = record
    return task


def test_what_the_study_told_is_kept_without_where_it_lies(tmp_path: Path) -> None:
    controls = tmp_path / "home" / "controls.tsv"
    controls.parent.mkdir()
    controls.write_text("metabolite\n")
    task = some_task(tmp_path, controls)
    told = keep_told(task.folder, task.told, task.settings)
    assert told == task.told
    assert told.clinical.events == task.clinical.events
    assert told.clinical.observations == task.clinical.observations
    scan = told.subject.sessions[0].images[0]
    assert (scan.path.as_posix(), scan.sidecar) == ("sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz", {"EchoTime": 0.005})
    assert told.subject.sessions[0].problems == (f"bids:raw:{scan.path.as_posix()}: bad",)
    assert told.clinical.problems == ("bids:raw:phenotype: bad",)
    written = (task.folder / "stages" / "study.json").read_text("utf-8")
    assert not [word for word in (str(tmp_path), "4711", "MR3", "here") if word in written]
    controls.unlink()
    again = SubjectRun.of_saved(task.out, "01")
    assert Path(again.settings.patterns.norm_controls).read_text() == "metabolite\n"
    assert again.told == told


def test_where_the_files_of_the_user_lie_changes_no_result(tmp_path: Path) -> None:
    one, other = (some_task(tmp_path, tmp_path / place / "controls.tsv") for place in ("here", "there"))
    assert one.provenance("findings", {}, "patterns") == other.provenance("findings", {}, "patterns")
