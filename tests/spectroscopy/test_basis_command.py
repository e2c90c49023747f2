"""``hlhneuro basis`` from the command line, and ``hlhneuro fit`` with what it wrote."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hlhneuro.cli import main
from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import fit_spectrum, read_basis, simulate_basis

from . import made

CALL = ["basis", "--sequence", "press", "--echo-time-s", ".030", "--frequency-mhz", "123.2", "--first-echo-s", ".012"]
SMALL = ["--metabolites", "NAA", "Ins", "Cr", "Lac", "Glu", "GPC", "--points", "2048"]


FORMS = pytest.mark.parametrize(
    ("name", "form"), [("press.BASIS", "fsl"), ("press_fsl", "fsl"), ("press_raw", "raw"), ("press_nii", "nifti-mrs")]
)


@FORMS
def test_what_is_written_is_what_was_simulated(tmp_path, capsys, name, form):
    assert main([*CALL, *SMALL, "--form", form, "--out", str(tmp_path / name)]) == 0
    assert "6 metabolites, simulated: press, TE 30 ms, TE1 12 ms" in capsys.readouterr().out
    found = read_basis(tmp_path / name)
    expected = simulate_basis(
        "press",
        0.03,
        first_echo_s=0.012,
        dwell_time_s=2.5e-4,
        points=2048,
        spectrometer_frequency_mhz=123.2,
        names=found.names,
    )
    assert set(found.names) == {"NAA", "mI", "Cr", "Lac", "Glu", "GPC"}
    np.testing.assert_allclose(found.fids, expected.fids, atol=1e-5)
    assert (found.echo_time_s, found.sequence, found.assumptions) == (pytest.approx(0.03), "press", ())
    assert [p.name for p in tmp_path.iterdir()] == [name]  # nothing half-written stays


def test_options_reach_the_simulation(tmp_path, capsys):
    out = tmp_path / "long.BASIS"
    options = ["--pulse-bandwidth-hz", "1200", "--field-t", "2.89", "--dwell-time-s", "5e-4", "--points", "256"]
    call = ["basis", "--sequence", "press", "--echo-time-s", ".144", "--metabolites", "Lac", *options]
    assert main([*call, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "refocusing bandwidth 1200 Hz" in said.out
    assert "PRESS first echo time not known" in said.err
    found = read_basis(out)
    assert (found.points, found.dwell_time_s) == (256, 5e-4)
    assert found.spectrometer_frequency_mhz == pytest.approx(2.89 * 42.577, abs=0.01)


@FORMS
def test_fit_reads_each_form(tmp_path, name, form):
    import nibabel as nib
    from nifti_mrs.create_nmrs import gen_nifti_mrs

    assert main([*CALL, *SMALL, "--form", form, "--out", str(tmp_path / name)]) == 0
    content = {"NAA": 8.0, "Cr": 8.0, "mI": 5.0, "Glu": 8.0, "GPC": 1.5}
    fid = made.spectrum(content, noise=0.05).fid
    image = gen_nifti_mrs(fid.conj().reshape(1, 1, 1, -1), made.DWELL_S, made.FREQUENCY_MHZ)
    for field, value in (("EchoTime", 0.03), ("RepetitionTime", 2.0), ("SequenceName", "press")):
        image.add_hdr_field(field, value)
    image.save(tmp_path / "svs.nii.gz")
    assert nib.load(tmp_path / "svs.nii.gz").shape[-1] == made.POINTS
    assert (
        main(["fit", str(tmp_path / "svs.nii.gz"), "--basis", str(tmp_path / name), "--out", str(tmp_path / "o")]) == 0
    )
    found = pd.read_csv(tmp_path / "o" / "concentrations.tsv", sep="\t").set_index("metabolite")
    assert found.loc["NAA", "ratio_to_tcr"] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--out", "x.txt"], "kind of basis set"),
        (["--out", "full"], "something already"),
        (["--out", "x.BASIS", "--metabolites", "Kryptonite"], "Kryptonite"),
        (["--out", "x.BASIS", "--first-echo-s", "0.04"], "first echo"),
        (["--out", "x.BASIS", "--echo-time-s", "30"], "EchoTime"),
        (["--out", "x.BASIS", "--points", "0"], "points"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(tmp_path, monkeypatch, capsys, arguments, word):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    assert main([*CALL, *arguments]) == 2
    assert word in " ".join(capsys.readouterr().err.split())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"]
    assert (tmp_path / "full" / "letter.txt").read_text() == "mine"


def test_an_empty_folder_is_used_and_a_file_replaced_whole(tmp_path):
    (tmp_path / "fsl").mkdir()
    (tmp_path / "b.BASIS").write_text("old")
    for name in ("fsl", "b.BASIS"):
        assert main([*CALL, "--metabolites", "Cr", "--points", "1024", "--out", str(tmp_path / name)]) == 0
        assert read_basis(tmp_path / name).names == ("Cr",)


def test_lactate_at_144_ms_is_found_whole_where_the_bandwidth_is_known():
    call = {"dwell_time_s": made.DWELL_S, "points": made.POINTS, "spectrometer_frequency_mhz": made.FREQUENCY_MHZ}
    scanner = SpectraSettings(refocusing_bandwidth_hz=1200.0, press_first_echo_s=0.016)
    truth = simulate_basis("press", 0.144, settings=scanner, **call)
    content = {"NAA": 8.0, "Cr": 8.0, "GPC": 1.5, "Lac": 3.0, "Glu": 8.0}
    time = np.arange(made.POINTS) * made.DWELL_S
    fid = sum(value * truth.fid(name) for name, value in content.items()) * np.exp(-12 * time)
    rng = np.random.default_rng(1)
    fid = fid + 0.05 * (rng.standard_normal(made.POINTS) + 1j * rng.standard_normal(made.POINTS))
    spectrum = made.from_fid(fid, echo_time_s=0.144)

    def lactate(settings):
        table = fit_spectrum(spectrum, settings=settings).concentrations.set_index("metabolite")
        return float(table.loc["Lac", "ratio_to_tcr"])

    assert lactate(scanner) == pytest.approx(3.0 / 8.0, rel=0.05)
    assert lactate(SpectraSettings(press_first_echo_s=0.016)) < 0.6 * 3.0 / 8.0
