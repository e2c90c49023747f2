"""The simulation against textbook results for one, two and four spins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlhneuro.spectroscopy.simulation import SequenceTiming, lines_to_fid, simulate_group
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
@pytest.mark.parametrize("frequency", [63.87, 123.2])
def test_excitation_alone_shows_every_proton(name, frequency):
    counts = {  # protons that do not exchange with water, from the structural formulae
        **{"Ace": 3, "Ala": 4, "Asc": 4, "Asp": 3, "Cr": 5, "GABA": 6, "GPC": 18, "GSH": 10, "Glc": 7, "Gln": 5},
        **{"Glu": 5, "Gly": 2, "Lac": 4, "NAA": 6, "NAAG": 11, "PCho": 13, "PCr": 5, "PE": 4, "Pyr": 3, "Suc": 4},
        **{"Tau": 4, "mI": 6, "sIns": 6},
    }
    total = sum(
        simulate_group(g, ACQUIRE, frequency, 4.65).amplitudes.sum().real for g in load_metabolites()[name].groups
    )
    assert total == pytest.approx(counts[name], rel=1e-6)


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
    assert all("NMR Biomed" in m.source or "Magn Reson Med" in m.source for m in load_metabolites().values())
    assert {signal.kind for signal in load_broad_signals().values()} == {"lipid", "macromolecule"}


def test_impossible_timings_are_refused():
    with pytest.raises(ValueError, match="first echo"):
        SequenceTiming("press", 0.03)
    with pytest.raises(ValueError, match="mixing time"):
        SequenceTiming("steam", 0.03)
    with pytest.raises(ValueError, match="not one of"):
        SequenceTiming("fid", 0.03)
