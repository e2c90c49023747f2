"""What preparation of spectra keeps and loses, on made raw data; run with ``pytest -m benchmark -s``."""

from __future__ import annotations

import numpy as np
import pytest

from hlhneuro.settings import SpectraSettings
from hlhneuro.spectroscopy import fit_spectrum
from hlhneuro.spectroscopy.coils import coil_weights
from hlhneuro.spectroscopy.transients import align_transients, average_transients
from tests.spectroscopy import made, raw
from tests.spectroscopy.test_coils import acquired, reached

pytestmark = pytest.mark.benchmark

SETTINGS = SpectraSettings()
METABOLITES = (SETTINGS.fit_low_ppm, SETTINGS.fit_high_ppm)
MAIN = ("tNAA", "tCr", "tCho", "mI", "Glx")


def test_coils_against_the_ideal_combination():
    print("\ncoils, transients, SNR of one transient: part of the ideal SNR, lowest of 4 arrays (water / no water)")
    lowest = []
    for coils, count, snr in ((4, 8, 5), (8, 16, 5), (16, 32, 2), (32, 32, 2), (32, 128, 1), (32, 1, 20)):
        parts = []
        for with_water in (True, False):
            found = []
            for seed in range(4):
                array = raw.array(coils, 0.6, seed)
                data, sd = acquired(array, snr, count, seed, water=3.0)
                noise = raw.white((made.POINTS, coils, 1), np.random.default_rng(seed + 99))
                water = 1e4 * raw.fid_noise_sd(1) * made.line(4.65, 8.0)[:, None, None] * array.gains[:, None]
                guide = water + sd * np.einsum("cd,pdt->pct", array.mixing, noise) if with_water else data
                axes = made.from_fid(data, ("DIM_COIL", "DIM_DYN"))
                found.append(reached(array, coil_weights(data, guide, axes, SETTINGS).weights))
            parts.append(min(found))
        print(f"{coils:3d} {count:4d} {snr:3d}: {parts[0]:.3f} / {parts[1]:.3f}")
        if count > 1:
            lowest.append(min(parts))
    assert min(lowest) > 0.97


@pytest.mark.parametrize("water", [0.0, 20.0, 100.0])
def test_drift_at_low_signal(water):
    print(f"\n64 transients, residual water {water:g} times NAA: error of shifts (Hz), of phases (deg), signal kept")
    clean, axes = raw.clean_fid(), made.from_fid(raw.clean_fid())
    for kind in ("none", "slow", "breathing", "jump"):
        for snr in (1, 2, 3, 5, 10, 20):
            errors = []
            for seed in range(5):
                course = raw.drift(64, kind, seed)
                found = align_transients(raw.transients(snr, course, seed, water), axes, METABOLITES, SETTINGS)
                shift = found.shifts_hz - (course.shifts_hz - course.shifts_hz.mean())
                turn = np.exp(1j * (found.phases_rad - course.phases_rad))
                phase = np.angle(turn / np.mean(turn))
                pure = found.undo(raw.transients(1e9, course, seed), made.DWELL_S).mean(axis=1)
                offsets = np.exp(-2j * np.pi * np.outer(np.linspace(-4, 4, 161), raw.TIME)) * pure
                kept = np.abs(offsets @ clean.conj()).max() / np.vdot(clean, clean).real
                errors.append((np.sqrt(np.mean(shift**2)), np.rad2deg(np.sqrt(np.mean(phase**2))), kept))
            hz, degrees, kept = np.mean(errors, axis=0)
            print(f"{kind:10s} SNR {snr:2d}: {hz:5.2f} Hz {degrees:5.1f} deg {kept:.3f}")
            assert kept > (0.93 if snr == 1 else 0.97)


def test_rejected_transients():
    axes = made.from_fid(raw.clean_fid())
    wrong = missed = good = spoilt = 0
    for snr in (3, 5, 10, 20, 50):
        row = [0, 0]
        for seed in range(12):
            count = (8, 16, 32)[seed % 3]
            course = raw.drift(count, "breathing", seed)
            bad = tuple(np.random.default_rng(seed).permutation(count)[: count // 8].tolist())
            course = raw.Drift(course.shifts_hz, course.phases_rad, bad)
            found = set(average_transients(raw.transients(snr, course, seed), axes, METABOLITES, SETTINGS).rejected)
            row[0] += len(found - set(bad))
            row[1] += len(set(bad) - found)
            good, spoilt = good + count - len(bad), spoilt + len(bad)
        print(f"\nSNR {snr}: {row[0]} good ones left out, {row[1]} spoilt ones kept", end="")
        wrong, missed = wrong + row[0], missed + (row[1] if snr >= 10 else 0)
    print(f"\nof {good} good and {spoilt} spoilt transients")
    assert wrong <= 0.01 * good
    assert missed <= 0.05 * spoilt


def _concentrations(fid, water=None):
    reference = None if water is None else made.from_fid(water)
    table = fit_spectrum(made.from_fid(fid), made.basis(), water=reference).concentrations.set_index("metabolite")
    return table.concentration[list(MAIN)] / table.concentration["tCr"]


def test_metabolites_after_eddy_currents_and_residual_water():
    # Changes of ratios to total creatine against the same spectrum and noise without the artefact.
    worst = {}
    for name in ("eddy", "eddy, short reference", "water 5", "water 20", "water 100", "water 20 + 0.2 ppm", "both"):
        changes = []
        for seed in range(4):
            rng = np.random.default_rng(seed)
            fid = raw.clean_fid() + raw.fid_noise_sd(60) * raw.white((made.POINTS,), rng)
            clean = _concentrations(fid)
            phase = np.exp(1j * (0.4 + raw.eddy_phase(rng.uniform(5, 15), rng.uniform(0.01, 0.08))))
            times = {"water 5": 5, "water 20": 20, "water 100": 100, "water 20 + 0.2 ppm": 20, "both": 50}.get(name, 0)
            place = 4.85 if "ppm" in name else 4.65
            lines = made.line(place, 7.0) + 0.4 * np.exp(1.5j) * made.line(place + 0.03, 12.0)
            residual = times * raw.NAA_HEIGHT * np.pi * 7.0 * made.DWELL_S * np.exp(1j * rng.uniform(-3, 3)) * lines
            reference = None
            if "eddy" in name or name == "both":
                reference = 4e4 * made.line(4.65, 8.0) * phase + raw.white((made.POINTS,), rng)
                reference = reference[:600] if "short" in name else reference
                residual = residual * phase
                fid = fid * phase
            found = _concentrations(fid + residual, reference)
            changes.append(np.abs(found / clean - 1).drop("tCr"))
        mean = 100 * np.mean(changes, axis=0)
        worst[name] = float(mean.max())
        print(
            f"\n{name:24s}" + "  ".join(f"{m} {v:.1f} %" for m, v in zip(MAIN[:1] + MAIN[2:], mean, strict=True)),
            end="",
        )
    assert max(worst.values()) < 8
