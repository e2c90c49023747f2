"""How fast basis sets are simulated, and how far they agree with others'; run with ``pytest -m benchmark -s``."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from hlhneuro.spectroscopy import Basis, read_basis, simulate_basis
from hlhneuro.spectroscopy.basis import _metabolite_fid
from hlhneuro.spectroscopy.sequences import SequenceTiming
from hlhneuro.spectroscopy.simulation import simulate_group
from hlhneuro.spectroscopy.spin_systems import load_metabolites

pytestmark = pytest.mark.benchmark

DATA = Path(__file__).parents[2].parent / "shared" / "data"
CHALLENGE = DATA / "mrs_challenge" / "basis"
VENDOR = DATA / "mrs_basis_reference" / "3T_PRESS_Siemens_35ms_noMM.BASIS"


@pytest.mark.parametrize("pulse_bandwidth_hz", [None, 1200.0], ids=["ideal pulses", "displaced slices"])
def test_25_metabolites_within_a_second(pulse_bandwidth_hz):
    names = [name for name in load_metabolites() if name not in ("Ile", "Leu", "Thr", "Val")]
    assert len(names) == 25
    seconds = []
    for _ in range(5):
        _metabolite_fid.cache_clear()
        started = time.perf_counter()
        simulate_basis(
            "press",
            0.03,
            dwell_time_s=5e-4,
            points=2048,
            spectrometer_frequency_mhz=123.2,
            names=names,
            pulse_bandwidth_hz=pulse_bandwidth_hz,
        )
        seconds.append(time.perf_counter() - started)
    print(f"\n25 metabolites, PRESS 30 ms, 2048 points: {np.median(seconds):.3f} s, worst {max(seconds):.3f} s")
    assert np.median(seconds) < 1.0


@pytest.mark.parametrize("name", ["Ile", "Leu", "Val"])
def test_the_largest_molecules(name):
    for sequence in ("press", "steam"):
        started = time.perf_counter()
        simulate_basis(sequence, 0.03, dwell_time_s=5e-4, points=2048, spectrometer_frequency_mhz=123.2, names=[name])
        print(f"\n{name}, {sequence}: {time.perf_counter() - started:.2f} s")


def likeness(theirs: Basis, ours: Basis) -> dict[str, float]:
    """Greatest correlation from 0.5 to 4.2 ppm after 4 Hz of broadening; reference, shift and width left free."""
    time_s = np.arange(theirs.points) * theirs.dwell_time_s
    inside = (theirs.ppm > 0.5) & (theirs.ppm < 4.2)
    found = {}
    for name in ours.names:
        reference = np.fft.fft(theirs.fid(name) * np.exp(-4 * np.pi * time_s))[inside]
        best = 0.0
        for hz in np.arange(-1.5, 5.01, 0.25):
            for width in (5, 6, 7):
                moved = np.fft.fft(ours.fid(name) * np.exp(-width * np.pi * time_s + 2j * np.pi * hz * time_s))[inside]
                alike = abs(np.vdot(moved, reference)) / np.linalg.norm(moved) / np.linalg.norm(reference)
                best = max(best, float(alike))
        found[name] = best
    return found


def ours_like(theirs: Basis, echo_time_s: float, first_echo_s: float, **options: float) -> Basis:
    return simulate_basis(
        "press",
        echo_time_s,
        first_echo_s=first_echo_s,
        dwell_time_s=theirs.dwell_time_s,
        points=theirs.points,
        spectrometer_frequency_mhz=theirs.spectrometer_frequency_mhz,
        names=[name for name in theirs.names if name in load_metabolites()],
        **options,
    )


def said(found: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in found.items())


@pytest.mark.realdata
@pytest.mark.skipif(not CHALLENGE.is_dir(), reason="fitting challenge data not here")
def test_likeness_with_the_fitting_challenge():
    theirs = read_basis(CHALLENGE)
    for first_echo_s in (0.011, 0.012, 0.015, 0.019):
        found = likeness(theirs, ours_like(theirs, 0.03, first_echo_s))
        print(f"\nTE1 {first_echo_s * 1e3:g} ms: {said(found)}")
        if first_echo_s == 0.011:  # as the challenge says
            assert [name for name, value in found.items() if value < 0.995] == ["GSH"]


@pytest.mark.realdata
@pytest.mark.skipif(not VENDOR.is_file(), reason="reference basis not here")
def test_likeness_with_a_basis_of_the_vendors_pulses():
    # Its TE1 is not said: 16 ms is where most functions agree best. Its pulses were simulated point by point.
    theirs = read_basis(VENDOR)
    ideal = likeness(theirs, ours_like(theirs, 0.035, 0.016))
    displaced = likeness(theirs, ours_like(theirs, 0.035, 0.016, pulse_bandwidth_hz=1200.0))
    print(f"\nideal pulses: {said(ideal)}\nslices displaced, 1.2 kHz: {said(displaced)}")
    assert ideal["Lac"] < 0.95 < 0.999 < displaced["Lac"]
    assert [name for name, value in displaced.items() if value < 0.995] == ["Asc"]


def test_what_is_left_of_lactate_at_144_ms():
    group = load_metabolites()["Lac"].groups[0]
    print()
    for sequence, first_echo_s in (("press", 0.072), ("slaser", None)):
        for frequency_mhz in (63.9, 123.2):
            left = []
            for bandwidth_hz in (800.0, 1200.0, 2000.0, 5000.0, 10000.0, None):
                timing = SequenceTiming(sequence, 0.144, first_echo_s, None, bandwidth_hz)
                lines = simulate_group(group, timing, frequency_mhz, 4.65)
                methyl = np.abs(lines.frequencies_hz - (1.3142 - 4.65) * frequency_mhz) < 50
                left.append(f"{-lines.amplitudes[methyl].sum().real / 3:.2f}")
            print(f"{sequence} {frequency_mhz:g} MHz, 0.8, 1.2, 2, 5, 10 kHz, ideal: {', '.join(left)} inverted")
