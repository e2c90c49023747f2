"""Spectra as scanners and programs write them: every format says the same, or says what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nifti_mrs.nifti_mrs import NIFTI_MRS

from hlhneuro.cli import main
from hlhneuro.errors import InputError
from hlhneuro.pipeline import fit_file
from hlhneuro.pipeline.importing import import_into_study
from hlhneuro.spectroscopy import load_spectrum
from hlhneuro.spectroscopy.spectra import spectrum_from_image
from hlhneuro.study import RawSpectrum, SpectrumFacts, check_study, convert_spectrum, open_study, to_image
from hlhneuro.study._philips import vax_to_float
from hlhneuro.study._spec2nii import run_spec2nii

from . import made

TOLD = SpectrumFacts(nucleus="1H", dwell_time_s=made.DWELL_S, spectrometer_frequency_mhz=made.FREQUENCY_MHZ)
SPAR = {
    **{"samples": 128, "rows": 1, "synthesizer_frequency": 127_755_264, "sample_frequency": 2000, "nucleus": "1H"},
    **{"echo_time": 30, "repetition_time": 1500, "averages": 16, "volume_selection_enable": '"yes"'},
    **{"lr_size": 10, "ap_size": 20, "cc_size": 30, "lr_off_center": 1, "ap_off_center": 2, "cc_off_center": 3},
    **{"lr_angulation": 0, "ap_angulation": 0, "cc_angulation": 0, "patient_name": "Doe", "scan_id": "press"},
}


def spectrum(raw: RawSpectrum):
    return spectrum_from_image(to_image(raw, "test"))


def peak_ppm(raw: RawSpectrum) -> float:
    found = spectrum(raw)
    return float(found.ppm[np.argmax(np.abs(np.fft.fftshift(np.fft.fft(found.fid))))])


def to_vax(values: np.ndarray) -> bytes:
    bits = (np.asarray(values, dtype=np.float32) * np.float32(4)).view(np.uint32)
    return np.stack([bits >> 16, bits & 0xFFFF], axis=1).astype("<u2").tobytes()


def write_pair(folder: Path, fid: np.ndarray, **changes: object) -> Path:
    header = SPAR | {"samples": fid.shape[-1]} | changes
    stored = np.atleast_2d(fid).conj()  # the scanner's sign of frequency
    (folder / "a.SDAT").write_bytes(to_vax(np.stack([stored.real, stored.imag], axis=-1).ravel()))
    lines = ["! comment : of the maker", *(f"{name} : {value}" for name, value in header.items())]
    (folder / "a.SPAR").write_text("\r\n".join(lines))
    return folder / "a.SDAT"


# ------------------------------------------------------------------------ Philips


def test_vax_numbers_are_those_of_the_architecture_manual():
    stored = bytes.fromhex("80400000 80c00000 00400000 00410000 00000000 4941db0f")
    np.testing.assert_allclose(vax_to_float(stored), [1.0, -1.0, 0.5, 2.0, 0.0, np.float32(np.pi)], rtol=1e-7)


@given(st.lists(st.floats(2.0**-100, 2.0**100, width=32), min_size=1), st.booleans())
def test_numbers_survive_the_vax_format(values, negative):
    given_values = np.array(values, dtype=np.float32) * (-1 if negative else 1)
    np.testing.assert_array_equal(vax_to_float(to_vax(given_values)), given_values)


def test_a_philips_pair_gives_its_samples_facts_and_place(tmp_path):
    fid = made.line(2.008, points=128)
    (raw,) = convert_spectrum(write_pair(tmp_path, fid).with_suffix(".SPAR"))
    found = spectrum(raw)
    np.testing.assert_allclose(found.fid, fid, atol=1e-6)
    assert (found.echo_time_s, found.repetition_time_s, found.sequence) == (0.03, 1.5, "press")
    assert (found.dwell_time_s, found.spectrometer_frequency_mhz) == (pytest.approx(5e-4), 127.755264)
    # Left, posterior, head in the file; right, anterior, head here.
    np.testing.assert_allclose(found.affine, [[10, 0, 0, -1], [0, 20, 0, -2], [0, 0, 30, 3], [0, 0, 0, 1]])
    assert found.located
    assert "Doe" not in str(raw.header)


def test_angles_turn_about_the_axes_of_the_file(tmp_path):
    (raw,) = convert_spectrum(write_pair(tmp_path, made.line(2.0, points=128), lr_angulation=30))
    # About left by 30 degrees: what pointed to posterior now also points to the head.
    np.testing.assert_allclose(raw.affine[:3, 1] / 20, [0, np.cos(np.pi / 6), -np.sin(np.pi / 6)], atol=1e-12)


def test_rows_are_transients(tmp_path):
    fids = np.stack([made.line(2.0, points=128) * scale for scale in (1.0, 2.0, 3.0)])
    (raw,) = convert_spectrum(write_pair(tmp_path, fids, rows=3))
    found = spectrum(raw)
    assert found.dimensions == ("DIM_DYN",)
    np.testing.assert_allclose(np.abs(found.fid[0]), [1, 2, 3], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": 99}, "complex samples"),
        ({"nr_phase_encoding_profiles": 16}, "grid"),
        ({"echo_time": "?"}, "echo_time"),
    ],
)
def test_a_pair_that_cannot_be_is_refused(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        convert_spectrum(write_pair(tmp_path, made.line(2.0, points=128), **change))


def test_a_pair_without_its_header_is_refused(tmp_path):
    path = write_pair(tmp_path, made.line(2.0, points=128))
    path.with_suffix(".SPAR").unlink()
    with pytest.raises(InputError, match=r"SPAR.*not beside it"):
        convert_spectrum(path)


# --------------------------------------------------------------------------- text


def write_texts(folder: Path, fid: np.ndarray) -> dict[str, Path]:
    columns = np.column_stack([fid.real, fid.imag])
    body = "\n".join(f"{real:.8e} {imag:.8e}" for real, imag in columns)
    raw = " $SEQPAR\n echot= 30.0\n $END\n $NMID\n id='x', fmtdat='(2E15.6)'\n tramp=2.0\n volume=4.0\n $END\n"
    jmrui = (
        f"jMRUI Data Textfile\n\nPointsInDataset: {fid.size}\nSamplingInterval: {made.DWELL_S * 1e3}\n"
        f"TransmitterFrequency: {made.FREQUENCY_MHZ * 1e6}\nMagneticField: 2.8936\n\nSignal\nsig(real)\tsig(imag)\n"
        "Signal 1 out of 1 in file\n"
    )
    paths = {name: folder / name for name in ("plain.txt", "mirrored.txt", "jmrui.txt", "lcmodel.RAW")}
    paths["plain.txt"].write_text(f"# real imaginary\n{body}\n")
    np.savetxt(paths["mirrored.txt"], columns * [1, -1], delimiter=",")
    paths["jmrui.txt"].write_text(jmrui + body.replace(" ", "\t") + "\n")
    paths["lcmodel.RAW"].write_text(raw + body + "\n")
    return paths


def test_text_formats_say_the_same_whichever_sign_they_are_written_with(tmp_path):
    fid = made.spectrum(made.HEALTHY, noise=0.02).fid
    for name, path in write_texts(tmp_path, fid).items():
        (raw,) = convert_spectrum(path, TOLD)
        scale = 0.5 if name.endswith("RAW") else 1.0  # TRAMP / VOLUME
        np.testing.assert_allclose(raw.data[0, 0, 0], scale * fid, atol=1e-6 * np.abs(fid).max(), err_msg=name)
        assert raw.affine is None
        assert not spectrum(raw).located
        assert not name.endswith("txt") or any("sign of frequency" in note for note in raw.notes)


def test_a_water_reference_keeps_the_sign_it_has_and_says_so(tmp_path):
    (raw,) = convert_spectrum(write_texts(tmp_path, made.line(4.66))["plain.txt"], TOLD)
    assert any("does not tell" in note for note in raw.notes)
    (turned,) = convert_spectrum(tmp_path / "plain.txt", SpectrumFacts(**(vars(TOLD) | {"conjugate": True})))
    np.testing.assert_array_equal(turned.data, raw.data.conj())


def test_what_a_file_does_not_say_is_asked_for_and_contradictions_are_told(tmp_path):
    paths = write_texts(tmp_path, made.line(2.0))
    for facts, words in (
        (None, "--dwell-time-s"),
        (SpectrumFacts(dwell_time_s=5e-4), "--spectrometer-frequency-mhz"),
        (SpectrumFacts(dwell_time_s=5e-4, spectrometer_frequency_mhz=123.2), "--nucleus"),
    ):
        with pytest.raises(InputError, match=words):
            convert_spectrum(paths["plain.txt"], facts)
    with pytest.raises(InputError, match="contradicts --echo-time-s"):
        convert_spectrum(paths["lcmodel.RAW"], SpectrumFacts(**(vars(TOLD) | {"echo_time_s": 0.144})))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.RAW", "1 2\n3 4\n"),
        ("a.RAW", " $NMID\n seqacq=T\n $END\n 1 2\n"),
        ("a.txt", "hello world\n"),
        ("a.txt", "1 2 3\n"),
        ("a.txt", "jMRUI Data Textfile\nno signal\n"),
        ("a.rda", "no header"),
        ("a.xyz", "no spectrum"),
        ("a.nii", "no image"),
    ],
)
def test_broken_files_are_named_with_a_remedy(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=rf"{name}.*Remedy"):
        convert_spectrum(path, TOLD)


def test_told_units_are_checked(tmp_path):
    path = write_texts(tmp_path, made.line(2.0))["plain.txt"]
    (raw,) = convert_spectrum(path, SpectrumFacts(**(vars(TOLD) | {"echo_time_s": 30.0})))
    with pytest.raises(InputError, match=r"milliseconds: give 0\.03 s"):
        spectrum(raw)


def test_writing_and_reading_back_loses_nothing_but_names(tmp_path):
    (raw,) = convert_spectrum(write_pair(tmp_path, made.line(2.008, points=128)))
    nib.save(to_image(raw, "test 1"), tmp_path / "a.nii.gz")
    (again,) = convert_spectrum(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(again.data, raw.data)
    np.testing.assert_allclose(again.affine, raw.affine, atol=1e-5)
    assert again.dwell_time_s == pytest.approx(raw.dwell_time_s)
    assert again.header["EchoTime"] == raw.header["EchoTime"]
    assert NIFTI_MRS(tmp_path / "a.nii.gz").shape == (1, 1, 1, 128)  # valid for the reference implementation


# -------------------------------------------------------------------- into a study


def test_the_command_imports_and_a_second_reading_is_the_same(tmp_path, capsys):
    fid = made.line(2.008, points=128)
    source = write_pair(tmp_path, fid)
    arguments = ["import", str(source), str(tmp_path / "study"), "--subject", "01", "--session", "02", "--voi", "wm"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "a.SDAT" in said
    assert "files written" in said
    path = tmp_path / "study/sub-01/ses-02/mrs/sub-01_ses-02_acq-te30_voi-wm_svs.nii.gz"
    found = load_spectrum(path)
    np.testing.assert_allclose(found.fid, fid, atol=1e-6)
    assert "Doe" not in str(found.header)
    assert main(arguments) == 0
    assert "0 files written" in capsys.readouterr().out


def test_the_command_refuses_what_it_cannot_import(tmp_path, capsys):
    source = write_pair(tmp_path, made.line(2.0, points=128), echo_time=30_000)
    arguments = ["import", str(source), str(tmp_path / "study"), "--subject", "01", "--session", "02"]
    assert main(arguments) == 1
    assert "looks like milliseconds: give 0.03 s" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "study").exists()
    assert main([*arguments[:-1], "a/b"]) == 2


def test_a_grid_is_imported_as_mrsi(tmp_path):
    data = np.tile(made.line(2.0, points=128), (3, 2, 1, 1)).astype(np.complex64)
    header = {"SpectrometerFrequency": 123.2, "ResonantNucleus": "1H", "EchoTime": 0.03}
    nib.save(
        to_image(RawSpectrum(data, 5e-4, header, np.diag([10.0, 10, 15, 1]), "grid"), "x"), tmp_path / "grid.nii.gz"
    )
    outcome = import_into_study(tmp_path / "grid.nii.gz", tmp_path / "study", "01", "01")
    assert [Path(row.name).name for row in outcome.rows] == ["sub-01_ses-01_acq-te30_mrsi.nii.gz"]
    assert not [row for row in check_study(open_study(tmp_path / "study")).rows if row.state == "unusable"]


def test_conjugated_data_are_fitted_once_the_user_says_so(tmp_path):
    raw = RawSpectrum(
        made.spectrum(made.HEALTHY, noise=0.02).fid.conj().reshape(1, 1, 1, -1),
        made.DWELL_S,
        {
            "SpectrometerFrequency": made.FREQUENCY_MHZ,
            "ResonantNucleus": "1H",
            "EchoTime": 0.03,
            "SequenceName": "press",
        },
        np.diag([20.0, 20.0, 20.0, 1.0]),
        "mirrored",
    )
    nib.save(to_image(raw, "x"), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match="--conjugate"):
        fit_file(tmp_path / "a.nii.gz", tmp_path / "out")
    fit = fit_file(tmp_path / "a.nii.gz", tmp_path / "out", told=SpectrumFacts(conjugate=True))
    assert abs(fit.quality["shift_ppm"]) < 0.01


# ---------------------------------------------------------------------- real data

VENDOR = Path(__file__).parents[2].parent / "shared" / "data" / "mrs_vendor"
real = [
    pytest.mark.realdata,
    pytest.mark.skipif(not VENDOR.is_dir(), reason="needs ../shared/data/mrs_vendor"),
]


class TestRealFiles:
    pytestmark = real

    def test_siemens_rda_and_ima_are_one_spectrum(self):
        (rda,), (ima,) = (convert_spectrum(VENDOR / f"siemens/SVS_30.{kind}") for kind in ("rda", "IMA"))
        first, second = spectrum(rda), spectrum(ima)
        np.testing.assert_allclose(first.fid, second.fid, rtol=1e-4, atol=1e-4 * np.abs(second.fid).max())
        np.testing.assert_allclose(first.affine, second.affine, atol=1e-3)  # an oblique voxel
        assert first.volume_ml == pytest.approx(16.0, rel=1e-3)
        assert first.dwell_time_s == pytest.approx(second.dwell_time_s, rel=1e-3)
        assert (first.echo_time_s, second.echo_time_s) == (0.03, 0.03)
        assert first.sequence == second.sequence == "press"

    def test_siemens_xa60_is_read(self):
        (raw,) = convert_spectrum(VENDOR / "siemens/SVS_XA60.dcm")
        found = spectrum(raw)
        assert (found.points, found.echo_time_s, found.repetition_time_s, found.sequence) == (1024, 0.03, 2.0, "press")
        assert found.volume_ml == pytest.approx(27.0)

    @pytest.mark.parametrize("name", ["svs_30_WS", "svs_30_ref"])
    def test_philips_equals_spec2nii_where_it_can_read(self, tmp_path, name):
        shutil.copy(VENDOR / f"philips/{name}.SDAT", tmp_path)
        header = (VENDOR / f"philips/{name}.SPAR").read_bytes() + b"\nspectrum_inversion_time : 0\n"
        (tmp_path / f"{name}.SPAR").write_bytes(header)
        (ours,) = convert_spectrum(tmp_path / f"{name}.SDAT")
        arguments = ["philips", str(tmp_path / f"{name}.SDAT"), str(tmp_path / f"{name}.SPAR")]
        (theirs,) = run_spec2nii(arguments, tmp_path / f"{name}.SDAT")
        np.testing.assert_array_equal(ours.data, theirs.data)
        np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-5)
        assert ours.dwell_time_s == pytest.approx(theirs.dwell_time_s)

    def test_an_oblique_philips_voxel_equals_spec2nii_and_lies_in_its_head(self):
        folder = VENDOR.parent / "mrs_mm_pair/sub-01/ses-01"
        path = folder / "mrs/sub-01_ses-01_press/sub-01_ses-01_PRESS_raw-act_noID.SDAT"
        (ours,) = convert_spectrum(path)
        (theirs,) = run_spec2nii(["philips", str(path), str(path.with_suffix(".SPAR"))], path)
        np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-4)
        head = nib.load(folder / "anat/sub-01_ses-01_T1w_scanner-space_FSL-skull-stripped.nii.gz")
        index = (np.linalg.inv(head.affine) @ ours.affine[:, 3])[:3].round().astype(int)
        assert np.asarray(head.dataobj)[tuple(index)] > 0

    def test_a_philips_pair_is_fitted(self, tmp_path):
        fit = fit_file(
            VENDOR / "philips/svs_30_WS.SDAT",
            tmp_path,
            water=VENDOR / "philips/svs_30_ref.SDAT",
            told=SpectrumFacts(sequence="press"),
        )
        assert fit.quality["snr"] > 20
        assert (tmp_path / "concentrations.tsv").is_file()
        # Its reference holds the suppressed signal once more, with another phase: no concentrations come of it.
        assert set(fit.concentrations.unit) == {"a.u."}
        assert "the signal of the spectrum itself" in str(dict(fit.record)["quantification"])

    @pytest.mark.parametrize("name", ["siemens/SVS_30.IMA", "siemens/SVS_30.rda", "siemens/SVS_XA60.dcm", "philips"])
    def test_real_spectra_become_a_study_that_names_nobody(self, tmp_path, name):
        outcome = import_into_study(VENDOR / name, tmp_path / "study", "01", "01")
        assert outcome.ok
        session = open_study(tmp_path / "study").subjects[0].sessions[0]
        assert len(session.spectra) == 1
        assert len(session.water_references) == (name == "philips")
        assert not [row for row in check_study(open_study(tmp_path / "study")).rows if row.state == "unusable"]
        for path in (tmp_path / "study").rglob("*.nii.gz"):
            content = json.dumps(NIFTI_MRS(path).hdr_ext.to_dict()) + path.with_name(
                path.name.replace(".nii.gz", ".json")
            ).read_text("utf-8")
            # Name and birth date in these files: 445; CCLG phantom, 1980.12.21; 2025-01-16.
            for secret in ('"445"', "CCLG", "1980", "20250116", "2025", "Patient", "/work", "SVS_", "svs_30"):
                assert secret not in content.replace("PatientPosition", "").replace("svs_se_30", ""), secret

    def test_text_formats_of_one_fid_agree(self):
        told = SpectrumFacts(nucleus="1H", dwell_time_s=8.33e-5, spectrometer_frequency_mhz=297.219948)
        found = [
            convert_spectrum(VENDOR / f"text/metab{end}", told)[0] for end in (".RAW", "_jmrui.txt", ".txt", ".nii")
        ]
        fids = [raw.data.ravel() / np.linalg.norm(raw.data) for raw in found]
        for raw, fid in zip(found, fids, strict=True):
            np.testing.assert_allclose(fid, fids[0], atol=1e-6)
            assert peak_ppm(raw) == pytest.approx(2.01, abs=0.05)  # NAA, not its mirror at 7.3 ppm

    @pytest.mark.parametrize(
        ("name", "shape", "dimensions"),
        [
            ("metab_raw", (4096, 4, 16), ("DIM_COIL", "DIM_DYN")),
            ("wref_raw", (4096, 4, 2), ("DIM_COIL", "DIM_DYN")),
            ("quant_raw", (4096, 4, 2), ("DIM_COIL", "DIM_DYN")),
            ("ecc", (4096, 4), ("DIM_COIL",)),
            ("metab", (4095,), ()),
        ],
    )
    def test_nifti_mrs_with_coils_and_references_is_read(self, name, shape, dimensions):
        (raw,) = convert_spectrum(VENDOR / f"nifti_mrs/{name}.nii.gz")
        found = spectrum(raw)
        assert (found.fid.shape, found.dimensions) == (shape, dimensions)
        assert (found.echo_time_s, found.repetition_time_s, found.sequence) == (0.011, 5.0, "steam")
