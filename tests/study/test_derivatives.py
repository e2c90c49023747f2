"""Names, provenance and writing of results."""

from __future__ import annotations

import errno
import gzip
import json
import os
import string
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlhneuro.errors import StudyError
from hlhneuro.study import derivatives as d

LABEL = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
PROVENANCE = d.Provenance("lesions", {"bids:raw:sub-01/a.nii.gz": "ab"}, {"threshold": 0.5, "names": ("a",)}, "0.1.0")
per_example = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(
    ("expected", "session", "datatype", "suffix", "extension", "entities"),
    [
        ("sub-X/sub-X_report.html", None, None, "report", ".html", {}),
        ("sub-X/sub-X_lesions.tsv", None, None, "lesions", ".tsv", {}),
        (
            "sub-X/ses-Y/anat/sub-X_ses-Y_space-subject_ce-gadolinium_desc-preproc_T1w.nii.gz",
            "Y", "anat", "ce-gadolinium_T1w", ".nii.gz", {"desc": "preproc", "space": "subject"},
        ),
        (
            "sub-X/ses-Y/anat/sub-X_ses-Y_space-FLAIR_label-lesion_mask.nii.gz",
            "Y", "anat", "mask", ".nii.gz", {"label": "lesion", "space": "FLAIR"},
        ),
        (
            "sub-X/ses-Y/anat/sub-X_ses-Y_from-T2w_to-subject_mode-image_xfm.txt",
            "Y", "anat", "xfm", ".txt", {"mode": "image", "to": "subject", "from_": "T2w"},
        ),
        (
            "sub-X/ses-Y/anat/sub-X_ses-Y_from-cegadoliniumT1w_to-subject_mode-image_xfm.txt",
            "Y", "anat", "xfm", ".txt", {"mode": "image", "to": "subject", "from_": "ce-gadolinium_T1w"},
        ),
        (
            "sub-X/ses-Y/mrs/sub-X_ses-Y_acq-A_voi-V_desc-fit_concentrations.tsv",
            "Y", "mrs", "concentrations", ".tsv", {"desc": "fit", "voi": "V", "acq": "A"},
        ),
    ],
)  # fmt: skip
def test_published_names(expected, session, datatype, suffix, extension, entities):
    path = d.derivative_path("out", "X", session, datatype, suffix, extension, **entities)
    assert path.as_posix() == f"out/{expected}"


@per_example
@given(
    subject=LABEL,
    session=st.none() | LABEL,
    suffix=LABEL,
    entities=st.dictionaries(
        st.sampled_from(["acq", "voi", "run", "ce", "from", "to", "mode", "label", "desc"]), LABEL
    ),
)
def test_a_name_gives_its_entities_back(subject, session, suffix, entities):
    path = d.derivative_path("out", subject, session, "anat", suffix, ".nii.gz", **entities)
    expected = {"sub": subject, "suffix": suffix, "extension": ".nii.gz"} | entities
    assert d.parse_derivative_name(path) == (expected | {"ses": session} if session else expected)


@pytest.mark.parametrize("entities", [{"desc": "a_b"}, {"desc": ""}, {"color": "red"}, {"acq": "../x"}])
def test_a_name_that_cannot_be_read_back_is_refused(entities):
    with pytest.raises(ValueError, match="result's name"):
        d.derivative_path("out", "01", None, "anat", "mask", ".nii.gz", **entities)


@pytest.mark.parametrize("name", ["mask.nii.gz", "README", "sub-01_loose_mask.nii.gz", "ses-1_sub-01_mask.nii.gz"])
def test_other_names_are_not_taken_for_results(name):
    if name == "mask.nii.gz":
        assert d.parse_derivative_name(name) == {"suffix": "mask", "extension": ".nii.gz"}
        return
    with pytest.raises(ValueError, match="not the name of a result"):
        d.parse_derivative_name(name)


def test_fingerprint_knows_content_and_not_order():
    one = d.Provenance("s", {"a": "1", "b": "2"}, {"x": 1.0, "y": [np.float64(2)]}, "1")
    other = d.Provenance("s", {"b": "2", "a": "1"}, {"y": (2.0,), "x": 1.0}, "1")
    assert one.fingerprint() == other.fingerprint()
    changed = [
        d.Provenance("t", one.sources, one.settings, "1"),
        d.Provenance("s", {"a": "1", "b": "3"}, one.settings, "1"),
        d.Provenance("s", one.sources, {"x": 1.0, "y": [2.5]}, "1"),
        d.Provenance("s", one.sources, one.settings, "2"),
    ]
    assert one.fingerprint() not in {item.fingerprint() for item in changed}
    with pytest.raises(TypeError):
        d.Provenance("s", {}, {"x": object()}, "1").fingerprint()


def test_bids_uri_is_relative_to_the_study(tmp_path):
    assert d.bids_uri(tmp_path, tmp_path / "sub-01" / "anat" / "a.nii") == "bids:raw:sub-01/anat/a.nii"
    with pytest.raises(ValueError, match=r"subpath|relative"):
        d.bids_uri(tmp_path / "study", tmp_path / "elsewhere.nii")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64, bool, np.int64])
@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_an_image_comes_back_as_written(tmp_path, dtype, extension):
    data = (np.arange(24).reshape(2, 3, 4) % 7).astype(dtype)
    affine = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -7], [0, 0, 3, 11], [0, 0, 0, 1]])
    path = d.write_image(tmp_path / "new" / f"sub-01_mask{extension}", data, affine, PROVENANCE, "a mask")
    back = nib.load(path)
    np.testing.assert_array_equal(np.asarray(back.dataobj), data)
    np.testing.assert_allclose(back.affine, affine)
    stored = {bool: np.uint8, np.int64: np.int32}.get(dtype, dtype)
    assert back.get_data_dtype() == np.dtype(stored)
    sidecar = json.loads(d.sidecar_path(path).read_text(encoding="utf-8"))
    assert sidecar["Description"] == "a mask"
    assert sidecar["Sources"] == ["bids:raw:sub-01/a.nii.gz"]
    assert sidecar["Fingerprint"] == PROVENANCE.fingerprint()


def test_the_same_image_gives_the_same_bytes(tmp_path):
    data = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    first = d.write_image(tmp_path / "a.nii.gz", data, np.eye(4), PROVENANCE)
    second = d.write_image(tmp_path / "b.nii.gz", data, np.eye(4), PROVENANCE)
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes())[:4] == (348).to_bytes(4, "little")


def test_integers_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="32-bit"):
        d.write_image(tmp_path / "a.nii.gz", np.full((2, 2, 2), 2**40), np.eye(4), PROVENANCE)
    assert list(tmp_path.iterdir()) == []


CELL = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(
    lambda text: text.strip() and text != "n/a"
)


@per_example
@given(
    st.lists(
        st.tuples(
            st.none() | CELL,
            st.floats(allow_nan=True, allow_infinity=True),
            st.integers(-(2**53), 2**53),
            st.booleans(),
        ),
        max_size=5,
    )
)
def test_a_table_comes_back_as_written(tmp_path, rows):
    frame = pd.DataFrame(rows, columns=["subject", "volume_ml", "count", "seen"])
    frame = frame.astype({"subject": object, "volume_ml": float, "count": "int64", "seen": bool})
    columns = dict.fromkeys(frame.columns, ("", "meaning"))
    path = d.write_table(tmp_path / "t.tsv", frame, columns, PROVENANCE)
    back = d.read_table(path)
    assert list(back["subject"]) == [None if row[0] is None else row[0] for row in rows]
    np.testing.assert_array_equal(back["volume_ml"].to_numpy(dtype=float), frame["volume_ml"].to_numpy())
    assert list(back["count"]) == list(frame["count"])
    assert list(back["seen"]) == list(frame["seen"])


def test_labels_stay_text_with_and_without_a_sidecar(tmp_path):
    frame = pd.DataFrame({"session": ["01", "02"], "volume_ml": [1.5, None], "note": ['say "no"', "a\tb\nc"]})
    columns = {"session": ("", "label"), "volume_ml": ("mL", "load"), "note": ("", "words"), "unused": ("", "")}
    path = d.write_table(tmp_path / "t.tsv", frame, columns, PROVENANCE)
    assert path.read_bytes() == b'session\tvolume_ml\tnote\n01\t1.5\tsay "no"\n02\tn/a\ta b c\n'
    assert json.loads((tmp_path / "t.json").read_text())["volume_ml"]["Units"] == "mL"
    (tmp_path / "t.json").unlink()
    back = d.read_table(path)
    assert list(back["session"]) == ["01", "02"]
    assert back["volume_ml"].isna().tolist() == [False, True]
    assert back["volume_ml"].dtype == float


def test_gaps_do_not_turn_numbers_into_text(tmp_path):
    frame = pd.DataFrame(
        {
            "real": [1.5, None],
            "whole": [3, None],
            "seen": [True, None],
            "all_seen": [True, False],
            "none": [None, None],
        },
        dtype=object,
    )
    path = d.write_table(tmp_path / "t.tsv", frame, dict.fromkeys(frame.columns, ("", "x")), PROVENANCE)
    back = d.read_table(path)
    assert (back["real"][0], back["whole"][0], back["seen"][0]) == (1.5, 3, True)
    assert back[["real", "whole", "seen", "none"]].isna().loc[1].all()
    assert back["all_seen"].dtype == bool
    assert back["none"].isna().all()


def test_an_empty_table_keeps_its_columns(tmp_path):
    frame = pd.DataFrame(columns=["lesion", "volume_ml"])
    path = d.write_table(tmp_path / "t.tsv", frame, dict.fromkeys(frame.columns, ("", "x")), PROVENANCE)
    assert path.read_bytes() == b"lesion\tvolume_ml\n"
    assert list(d.read_table(path)) == ["lesion", "volume_ml"]
    assert len(d.read_table(path)) == 0


def test_every_column_must_be_described(tmp_path):
    with pytest.raises(ValueError, match="volume"):
        d.write_table(tmp_path / "t.tsv", pd.DataFrame({"volume": [1.0]}), {}, PROVENANCE)
    with pytest.raises(ValueError, match="Sources"):
        d.write_table(tmp_path / "t.tsv", pd.DataFrame({"Sources": [1.0]}), {"Sources": ("", "x")}, PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_text_has_unix_line_ends_and_utf8(tmp_path):
    path = d.write_text(tmp_path / "a.txt", "µ\r\nb\n")
    assert path.read_bytes() == "µ\nb\n".encode()


def test_results_honour_the_umask(tmp_path):
    if os.name != "posix":
        pytest.skip("file modes are a POSIX matter")
    plain = tmp_path / "plain"
    plain.touch()
    assert d.write_text(tmp_path / "a.txt", "x").stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("failing", ["fsync", "replace", "write"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "sub-01_mask.nii.gz"
    d.write_image(path, np.zeros((2, 2, 2), np.uint8), np.eye(4), PROVENANCE)
    before = {item.name: item.read_bytes() for item in tmp_path.iterdir()}

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    target = {"fsync": "os.fsync", "replace": "pathlib.Path.replace", "write": "gzip.GzipFile.write"}[failing]
    monkeypatch.setattr(target, full)
    with pytest.raises(StudyError, match="No space left") as caught:
        d.write_image(path, np.ones((2, 2, 2), np.uint8), np.eye(4), PROVENANCE)
    assert caught.value.path == path
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == before


def test_a_kill_leaves_no_file_that_looks_like_a_result(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.unlink", lambda *args, **kwargs: None)  # what a kill -9 would not do either

    def die(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", die)
    with pytest.raises(KeyboardInterrupt):
        d.write_image(tmp_path / "m.nii.gz", np.ones((2, 2, 2), np.uint8), np.eye(4), PROVENANCE)
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    assert not [*tmp_path.glob("*.nii.gz"), *tmp_path.glob("*.tsv"), *tmp_path.glob("*.json")]


def test_a_result_is_current_until_anything_changes(tmp_path):
    image = d.write_image(tmp_path / "m.nii.gz", np.ones((2, 2, 2), np.uint8), np.eye(4), PROVENANCE)
    table = d.write_table(tmp_path / "t.tsv", pd.DataFrame({"a": [1]}), {"a": ("", "x")}, PROVENANCE)
    record = d.write_json(tmp_path / "f.json", {"findings": [1.5, float("nan")]}, PROVENANCE)
    matrix = d.write_text(tmp_path / "x_xfm.txt", "matrix\n", PROVENANCE)
    everything = [image, table, record, matrix]
    assert d.is_current(everything, PROVENANCE)
    assert all(d.is_sealed(path) for path in everything)
    assert not d.is_current([], PROVENANCE)
    assert not d.is_current([*everything, tmp_path / "absent.tsv"], PROVENANCE)
    assert not d.is_current(everything, d.Provenance("lesions", PROVENANCE.sources, {"threshold": 0.6}, "0.1.0"))
    for path, old, new in [(table, "1", "2"), (record, "1.5", "1.6"), (matrix, "matrix", "other")]:
        path.write_text(path.read_text().replace(old, new))
        assert not d.is_current([path], PROVENANCE), path.name
        assert not d.is_sealed(path), path.name
    d.sidecar_path(image).unlink()
    assert not d.is_current([image], PROVENANCE)
    assert not d.is_current([d.write_json(tmp_path / "g.json", {"a": 1})], PROVENANCE)


def test_a_broken_sidecar_means_stale_and_not_a_crash(tmp_path):
    image = d.write_image(tmp_path / "m.nii.gz", np.ones((2, 2, 2), np.uint8), np.eye(4), PROVENANCE)
    for broken in ["", "{", "[]", "null", '{"SHA256": 3}']:
        d.sidecar_path(image).write_text(broken)
        assert not d.is_current([image], PROVENANCE)
    d.write_image(image, np.ones((2, 2, 2), np.uint8), np.eye(4), PROVENANCE)
    assert d.is_current([image], PROVENANCE)


def test_an_image_and_its_label_table_share_a_sidecar(tmp_path):
    image = d.write_image(tmp_path / "dseg.nii.gz", np.ones((2, 2, 2), np.uint8), np.eye(4), PROVENANCE, "change")
    table = d.write_table(tmp_path / "dseg.tsv", pd.DataFrame({"index": [1]}), {"index": ("", "label")}, PROVENANCE)
    assert d.is_current([image, table], PROVENANCE)
    sidecar = json.loads((tmp_path / "dseg.json").read_text())
    assert sidecar["Description"] == "change"
    assert sidecar["index"]["Format"] == "integer"
    later = d.Provenance("lesions", {}, {}, "0.2.0")
    d.write_image(image, np.ones((2, 2, 2), np.uint8), np.eye(4), later, "change")
    assert d.is_current([image], later)
    assert not d.is_current([table], later)


def test_sha256_follows_the_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert d.file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    d.write_text(path, "abd")
    assert not d.file_sha256(path).startswith("ba7816bf")


def test_dataset_description_points_back_to_the_study(tmp_path):
    d.write_dataset_description(tmp_path / "out", "0.1.0", tmp_path / "study")
    content = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert content["DatasetType"] == "derivative"
    assert content["DatasetLinks"] == {"raw": "../study"}
    assert content["GeneratedBy"][0] == {"Name": "hlhneuro", "Version": "0.1.0"}
    assert "*.html" in Path(tmp_path, "out", ".bidsignore").read_text().split("\n")
