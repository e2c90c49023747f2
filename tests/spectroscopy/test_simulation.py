"""The simulation against textbook results for one, two and four spins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlhneuro.spectroscopy._slices import slice_regions
from hlhneuro.spectroscopy.sequences import SequenceTiming
from hlhneuro.spectroscopy.simulation import lines_to_fid, simulate_group
from hlhneuro.spectroscopy.spin_systems import SpinGroup, load_broad_signals, load_metabolites

ACQUIRE = SequenceTiming("pulse-acquire", 0.0)


@pytest.mark.parametrize(
    "timing",
    [
        ACQUIRE,
        SequenceTiming("press", 0.03, 0.011),
        SequenceTiming("steam", 0.02, None, 0.01),
        SequenceTiming("slaser", 0.03),
        SequenceTiming("laser", 0.03),
        SequenceTiming("spin-echo", 0.03),
    ],
    ids=lambda timing: timing.name,
)
def test_an_uncoupled_line_is_refocused_whatever_the_sequence(timing):
    found = simulate_group(SpinGroup((2.008,), weight=3.0), timing, 123.2, 4.65)
    assert found.frequencies_hz == pytest.approx([(2.008 - 4.65) * 123.2])
    assert found.amplitudes == pytest.approx([3.0], abs=1e-12)


def test_strongly_coupled_pair_has_the_quartet_of_the_textbook():
    # AB system: lines at (+-D +- J)/2 about the middle with D = sqrt(df**2 + J**2), intensities 1 -+ J/D.
    j, difference, frequency = 15.0, 20.0, 100.0
    group = SpinGroup((4.65 + difference / 2 / frequency, 4.65 - difference / 2 / frequency), ((0, 1, j),))
    found = simulate_group(group, ACQUIRE, frequency, 4.65)
    d = np.hypot(difference, j)
    assert found.frequencies_hz == pytest.approx([-(d + j) / 2, -(d - j) / 2, (d - j) / 2, (d + j) / 2])
    outer, inner = (1 - j / d) / 2, (1 + j / d) / 2
    assert found.amplitudes.real == pytest.approx([outer, inner, inner, outer])


@pytest.mark.parametrize("echo_time_s", [0.02, 0.05, 1 / 14.0, 1 / 7.0])
def test_weakly_coupled_doublet_is_modulated_by_the_cosine_of_j_te(echo_time_s):
    # 7 Hz against 2000 Hz of shift difference: the in-phase part of a spin echo is cos(pi J TE).
    group = SpinGroup((6.65, 2.65), ((0, 1, 7.0),))
    found = simulate_group(group, SequenceTiming("spin-echo", echo_time_s), 500.0, 4.65)
    left = found.amplitudes[found.frequencies_hz < 0].sum()
    assert left.real == pytest.approx(np.cos(np.pi * 7.0 * echo_time_s), abs=0.01)


@pytest.mark.parametrize(("echo_time_s", "sign"), [(0.144, -1), (0.288, 1)])
def test_lactate_is_inverted_at_144_and_upright_at_288_ms(echo_time_s, sign):
    found = simulate_group(
        load_metabolites()["Lac"].groups[0], SequenceTiming("press", echo_time_s, echo_time_s / 2), 63.87, 4.65
    )
    methyl = found.amplitudes[found.frequencies_hz < -150].sum()
    assert methyl.real == pytest.approx(3.0 * sign, rel=0.03)
    assert abs(methyl.imag) < 0.1


def test_steam_without_delays_is_a_plain_excitation():
    group = load_metabolites()["Glu"].groups[0]
    time = (1 / 2000, 512)
    steam = lines_to_fid(simulate_group(group, SequenceTiming("steam", 1e-9, None, 0.0), 123.2, 4.65), *time)
    plain = lines_to_fid(simulate_group(group, ACQUIRE, 123.2, 4.65), *time)
    # Each proton keeps half of its own coherence (normalised away); transfer between protons adds no net start.
    assert steam[0].real == pytest.approx(plain[0].real, rel=1e-6)


@pytest.mark.parametrize("name", sorted(load_metabolites()))
def test_excitation_alone_shows_every_proton(name):
    counts = {  # protons that do not exchange with water, from the structural formulae
        **{"Ace": 3, "Ala": 4, "Asc": 4, "Asp": 3, "Cr": 5, "GABA": 6, "GPC": 18, "GSH": 10, "Glc": 7, "Gln": 5},
        **{"Glu": 5, "Gly": 2, "Lac": 4, "NAA": 6, "NAAG": 11, "PCho": 13, "PCr": 5, "PE": 4, "Pyr": 3, "Suc": 4},
        **{"Tau": 4, "mI": 6, "sIns": 6, "2HG": 5, "Ile": 10, "Leu": 10, "Thr": 5, "Val": 8, "bHB": 6, "Cho": 13},
    }
    total = sum(simulate_group(g, ACQUIRE, 63.87, 4.65).amplitudes.sum().real for g in load_metabolites()[name].groups)
    assert total == pytest.approx(counts[name], rel=1e-6)


def test_free_choline_has_its_nitrogen_beside_one_ch2_and_none_at_its_singlet():
    singlet, chain = load_metabolites()["Cho"].groups
    assert (singlet.shifts_ppm, singlet.weight, singlet.offsets_hz) == ((3.185,), 9.0, ((),))
    # One of three orientations of 14N leaves each proton where it is, the others move it by J to either side.
    assert chain.offsets_hz == ((-2.572, -2.681, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), (2.572, 2.681, 0.0, 0.0))
    found = simulate_group(chain, ACQUIRE, 123.2, 4.65)
    ppm = 4.65 + found.frequencies_hz / 123.2
    weights = found.amplitudes.real
    for centre in (4.054, 3.501):  # the centre of mass of strongly coupled lines is where the shifts are
        near = np.abs(ppm - centre) < 0.2
        assert weights[near].sum() == pytest.approx(2.0, rel=0.05)
        assert np.average(ppm[near], weights=weights[near]) == pytest.approx(centre, abs=0.005)


def test_phosphorus_splits_and_is_not_refocused_into_a_shift():
    # A proton coupled to one spin that is never pulsed: a doublet of J, and no modulation by the echo.
    group = SpinGroup((3.0,), offsets_hz=((-5.0,), (5.0,)))
    found = simulate_group(group, SequenceTiming("press", 0.05, 0.02), 100.0, 4.65)
    assert np.diff(found.frequencies_hz) == pytest.approx([10.0])
    assert found.amplitudes == pytest.approx([0.5, 0.5])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-400, 400), st.floats(0.1, 3)), min_size=1, max_size=5), st.integers(64, 700))
def test_fid_of_lines_is_their_sum(lines, points):
    from hlhneuro.spectroscopy.simulation import Lines

    hz, amplitude = np.array(lines).T
    time = np.arange(points) / 2000
    expected = np.exp(-2j * np.pi * np.outer(time, hz)) @ amplitude
    found = lines_to_fid(Lines(hz, amplitude.astype(complex)), 1 / 2000, points)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_every_entry_of_the_data_file_names_its_paper():
    journals = ("NMR Biomed", "Magn Reson Med", "Magn Reson Chem", "Anal Chem")
    assert all(any(journal in m.source for journal in journals) for m in load_metabolites().values())
    assert {signal.kind for signal in load_broad_signals().values()} == {"lipid", "macromolecule"}


def by_brute_force(shift_hz, j_hz, bandwidth_hz, delays_s, positions=120):
    """Signal of two spins by full density matrices at every place of a plane, crushers as a filter of orders."""
    x, y, z = (np.array(m, dtype=complex) / 2 for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))
    one = np.eye(2)
    spins = [[np.kron(m, one) for m in (x, y, z)], [np.kron(one, m) for m in (x, y, z)]]
    hamiltonian = sum(f * s[2] for f, s in zip(shift_hz, spins, strict=True))
    hamiltonian = hamiltonian + j_hz * sum(a @ b for a, b in zip(spins[0], spins[1], strict=True))
    energy, vectors = np.linalg.eigh(hamiltonian)

    def evolve(rho, duration):
        u = vectors @ np.diag(np.exp(-2j * np.pi * energy * duration)) @ vectors.conj().T
        return u @ rho @ u.conj().T

    down = np.array([0, 1, 1, 2])
    order = down[None, :] - down[:, None]
    plus = sum(s[0] + 1j * s[1] for s in spins)
    places = (
        np.arange(positions) + 0.5
    ) / positions * 2 - 1  # of slices one thick whose centres differ by f / bandwidth

    def pulse(place):
        turn = np.eye(4, dtype=complex)
        for f, s in zip(shift_hz, spins, strict=True):
            if abs(place - f / bandwidth_hz) < 0.5:
                turn = turn @ (-2j * s[0])
        return turn

    def refocus(rho, start, end):
        return np.mean([np.where(order == end, p @ np.where(order == start, rho, 0) @ p.conj().T, 0)
                        for p in map(pulse, places)], axis=0) * 2  # fmt: skip

    rho = np.where(order == 1, plus, 0)
    for delay, (start, end) in zip(delays_s[:-1], [(1, -1), (-1, 1)], strict=True):
        rho = refocus(evolve(rho, delay), start, end)
    rho = evolve(rho, delays_s[-1])
    down_to_up = vectors.conj().T @ plus.conj().T @ vectors
    amplitudes = (vectors.conj().T @ rho @ vectors) * down_to_up.T / 2
    return energy[:, None] - energy[None, :], amplitudes


@pytest.mark.parametrize(
    ("shift_hz", "bandwidth_hz"),
    [((-150.0, 130.0), 600.0), ((-12.0, 15.0), 60.0)],
    ids=["weakly coupled", "strongly coupled"],
)
def test_displaced_slices_agree_with_full_matrices_at_every_place(shift_hz, bandwidth_hz):
    group = SpinGroup(tuple(4.65 + f / 100.0 for f in shift_hz), ((0, 1, 9.0),))
    timing = SequenceTiming("press", 0.06, 0.022, None, bandwidth_hz)
    found = lines_to_fid(simulate_group(group, timing, 100.0, 4.65), 1 / 2000, 400)
    hz, amplitudes = by_brute_force(shift_hz, 9.0, bandwidth_hz, timing.delays_s)
    expected = np.exp(-2j * np.pi * np.arange(400)[:, None] / 2000 * hz.ravel()) @ amplitudes.ravel()
    # The grid is 1/60 of a slice fine, which is all that the two may differ by.
    np.testing.assert_allclose(found, expected, atol=0.06)
    ideal = SequenceTiming("press", 0.06, 0.022)
    unlimited = lines_to_fid(simulate_group(group, ideal, 100.0, 4.65), 1 / 2000, 400)
    assert np.abs(found - unlimited).max() > 0.3  # the slices are half a thickness apart


def lactate_doublet(sequence, bandwidth_hz, first_echo_s=None):
    """Sum of the CH3 lines of lactate at TE 144 ms and 3 T; 3 at full signal."""
    timing = SequenceTiming(sequence, 0.144, first_echo_s, None, bandwidth_hz)
    found = simulate_group(load_metabolites()["Lac"].groups[0], timing, 123.2, 4.65)
    return found.amplitudes[np.abs(found.frequencies_hz - (1.3142 - 4.65) * 123.2) < 50].sum().real


@pytest.mark.parametrize("bandwidth_hz", [685.8, 1200.0, 2000.0, 1e6])
@pytest.mark.parametrize("first_echo_s", [0.016, 0.072])
def test_lactate_is_cancelled_where_its_slices_do_not_overlap(bandwidth_hz, first_echo_s):
    # Both pulses on both groups: inverted; one of them: antiphase, no area; neither on CH: upright. J TE is one.
    overlap = 1 - (4.0974 - 1.3142) * 123.2 / bandwidth_hz
    expected = 3 * (-(overlap**2) + (1 - overlap) ** 2)
    assert lactate_doublet("press", bandwidth_hz, first_echo_s) == pytest.approx(expected, abs=0.03)


def test_lactate_survives_adiabatic_pulses_of_high_bandwidth():
    assert lactate_doublet("press", 1200.0, 0.072) / lactate_doublet("press", None, 0.072) == pytest.approx(
        0.43, abs=0.01
    )
    for sequence in ("slaser", "laser"):
        assert lactate_doublet(sequence, 8000.0) / lactate_doublet(sequence, None) > 0.9


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-300, 300), min_size=1, max_size=5), st.floats(100, 1e4))
def test_every_spin_is_covered_once(offsets_hz, bandwidth_hz):
    regions = slice_regions(np.array(offsets_hz), bandwidth_hz)
    for spin in range(len(offsets_hz)):
        assert sum(part for missed, part in regions if not missed >> spin & 1) == pytest.approx(1.0)


def test_a_singlet_does_not_care_for_the_bandwidth():
    timing = SequenceTiming("press", 0.144, 0.03, None, 800.0)
    assert simulate_group(SpinGroup((2.0,)), timing, 123.2, 4.65).amplitudes == pytest.approx([1.0])


def test_impossible_timings_are_refused():
    with pytest.raises(ValueError, match="first echo"):
        SequenceTiming("press", 0.03)
    with pytest.raises(ValueError, match="mixing time"):
        SequenceTiming("steam", 0.03)
    with pytest.raises(ValueError, match="bandwidth"):
        SequenceTiming("press", 0.03, 0.011, None, 0.0)
    with pytest.raises(ValueError, match="no refocusing pulse"):
        SequenceTiming("steam", 0.03, None, 0.01, 1200.0)
    with pytest.raises(ValueError, match="not one of"):
        SequenceTiming("fid", 0.03)
