from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hlhneuro.phantom import Head, map_lesions, spectra
from hlhneuro.phantom.placement import place_voxel, voxel_fractions, voxel_water
from hlhneuro.phantom.scanner import rigid
from hlhneuro.phantom.spectra import PROFILES, SpectrumPlan, VoxelPlan, VoxelWater, make_spectrum, to_nifti_mrs

VOXEL = VoxelPlan((-26.0, 3.0, 3.0), (18.0, 20.0, 16.0), (8.0, 0.0, 12.0))
WATER = VoxelWater({"gm": 0.5, "wm": 0.4, "csf": 0.1}, {"gm": (1.304, 0.093), "wm": (0.66, 0.073), "csf": (4.3, 2.0)})


def plan(te_s: float = 0.030, **how: object) -> SpectrumPlan:
    profile = how.pop("profile", {"Cr": 8.0})
    return replace(SpectrumPlan("x", te_s, 1.5, profile, VOXEL), **how)  # type: ignore[arg-type]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise and residual water."""
    monkeypatch.setattr(spectra, "NOISE", 0.0)
    monkeypatch.setattr(spectra, "RESIDUAL_WATER", 0.0)


@pytest.mark.usefixtures("clean")
def test_the_textbook_formula_gives_the_concentration_back() -> None:
    made = make_spectrum(plan(), 1.5, WATER, (1,))
    assert made.water is not None
    ratio = abs(made.fid[0, 0, 0]) / abs(made.water[0, 0])

    def left(t1_s: float, t2_s: float) -> float:
        return math.exp(-0.030 / t2_s) * (1 - math.exp(-1.5 / t1_s))

    water_left = 0.5 * left(1.304, 0.093) + 0.4 * left(0.66, 0.073) + 0.1 * left(4.3, 2.0)
    # Gasparovic 2006, with the two protons of water against the five of creatine's CH3 and CH2.
    molal = ratio * water_left / (0.9 * left(1.153, 0.347)) * 55510 * 2 / 5
    assert molal == pytest.approx(8.0, rel=0.01)


@pytest.mark.usefixtures("clean")
def test_signals_add_in_proportion_to_concentration() -> None:
    single, double, other, both = (
        make_spectrum(plan(profile=profile), 3.0, WATER, (1,)).fid
        for profile in ({"Cr": 4.0}, {"Cr": 8.0}, {"NAA": 3.0}, {"Cr": 4.0, "NAA": 3.0})
    )
    assert np.allclose(double, 2 * single)
    assert np.allclose(both, single + other)


@pytest.mark.usefixtures("clean")
def test_creatine_decays_with_t2_between_the_echo_times() -> None:
    short, long = (abs(make_spectrum(plan(te), 1.5, WATER, (1,)).fid[0, 0, 0]) for te in (0.030, 0.144))
    assert long / short == pytest.approx(math.exp(-0.114 / 0.347), rel=0.01)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(("te_s", "sign"), [(0.144, -1), (0.288, 1)])
def test_lactate_is_inverted_at_144_ms_and_upright_at_288_ms(te_s: float, sign: int) -> None:
    made = make_spectrum(plan(te_s, profile={"Lac": 5.0, "Cr": 5.0}), 1.5, WATER, (1,))
    assert made.water is not None
    fid = made.fid[:, 0, 0] * np.exp(-1j * np.angle(made.water[0, 0]))
    spectrum = np.fft.fft(fid).real
    ppm = spectra.WATER_PPM - np.fft.fftfreq(fid.size, made.dwell_time_s) / made.frequency_mhz
    assert np.sign(spectrum[abs(ppm - 1.31) < 0.12].sum()) == sign
    assert spectrum[abs(ppm - 3.03) < 0.1].max() > 0


def test_noise_has_the_stated_size_whatever_the_number_of_transients() -> None:
    expected = spectra.NOISE * spectra.METHYL_AT_8_MMOL
    for coils, transients in ((1, 1), (4, 8)):
        fid = make_spectrum(plan(coils=coils, transients=transients), 3.0, WATER, (1,)).fid
        tail = fid[-400:].mean(axis=2)  # the signal has decayed
        assert tail.real.std() == pytest.approx(expected, rel=0.1)
        assert tail.imag.std() == pytest.approx(expected, rel=0.1)


@pytest.mark.usefixtures("clean")
def test_coils_hold_the_whole_signal_and_one_transient_is_spoilt() -> None:
    whole = make_spectrum(plan(), 1.5, WATER, (1,))
    split = make_spectrum(plan(coils=4, transients=8), 1.5, WATER, (1,))
    assert whole.water is not None
    assert split.water is not None
    assert np.linalg.norm(split.water[0]) == pytest.approx(abs(whole.water[0, 0]))
    sensitivity = split.water[0] / np.linalg.norm(split.water[0])
    combined = np.abs(np.einsum("tcd,c->td", split.fid, sensitivity.conj()))[0]
    good = [n for n in range(8) if n != split.record["SpoiltTransient"]]
    assert combined[good] == pytest.approx(abs(whole.fid[0, 0, 0]), rel=1e-6)
    assert combined[4] == pytest.approx(0.5 * abs(whole.fid[0, 0, 0]), rel=1e-6)


@pytest.mark.usefixtures("clean")
def test_the_water_reference_carries_the_same_eddy_current() -> None:
    plain, disturbed = (make_spectrum(plan(eddy_current=on), 1.5, WATER, (1,)) for on in (False, True))
    assert plain.water is not None
    assert disturbed.water is not None
    added = np.angle(disturbed.water[:, 0] / plain.water[:, 0])
    assert np.ptp(np.unwrap(added)) > 1.0
    assert np.allclose(disturbed.fid[:, 0, 0] * np.exp(-1j * added), plain.fid[:, 0, 0])


def test_nifti_mrs_holds_the_numbers_the_axes_and_the_facts() -> None:
    made = make_spectrum(plan(coils=4, transients=8), 1.5, WATER, (1,))
    image = to_nifti_mrs(made.fid, made, np.diag([18.0, 20.0, 16.0, 1.0]), {"EchoTime": 0.030})
    assert image.shape == (1, 1, 1, 1024, 4, 8)
    assert np.allclose(np.asarray(image.dataobj)[0, 0, 0], made.fid, rtol=1e-6)
    assert image.header["pixdim"][4] == pytest.approx(made.dwell_time_s)
    assert image.header["intent_name"].item().startswith(b"mrs_v")
    extension = image.header.extensions[0]
    assert extension.get_code() == 44
    text = extension.text if hasattr(extension, "text") else extension.get_content().decode()
    for fact in ('"EchoTime": 0.03', '"dim_5": "DIM_COIL"', '"dim_6": "DIM_DYN"', '"ResonantNucleus": ["1H"]'):
        assert fact in text


def test_profiles_follow_the_patterns_they_are_named_after() -> None:
    healthy, inflamed, necrotic = (PROFILES[name] for name in ("recovered", "inflammatory", "necrotic"))

    def ratio(profile: dict[str, float], *names: str) -> float:
        return sum(profile[n] for n in names) / sum(healthy[n] for n in names)

    for group in (("NAA", "NAAG"), ("Cr", "PCr"), ("GPC", "PCho")):
        assert ratio(necrotic, *group) < 0.6
    assert necrotic["lipid"] > 0
    assert necrotic["Lac"] > inflamed["Lac"] > healthy["Lac"]
    assert ratio(inflamed, "NAA", "NAAG") < 0.9
    assert ratio(inflamed, "GPC", "PCho") > 1.3
    assert ratio(inflamed, "Glu", "Gln") > 1.1
    assert ratio(inflamed, "Cr", "PCr") == pytest.approx(1.0)


def test_a_voxel_is_where_it_was_planned_and_its_content_sums_to_one(head: Head) -> None:
    pose = rigid(np.array([3.0, -2.0, 4.0]), np.array([5.0, -3.0, 2.0]))
    affine = place_voxel(head, pose, VOXEL)
    assert np.linalg.norm(affine[:3, :3], axis=0) == pytest.approx(VOXEL.size_mm)
    index = np.linalg.inv(head.grid.affine) @ [*pose.map(affine[:3, 3]), 1.0]
    at = head.template_mm[:, *np.rint(index[:3]).astype(int)]
    assert np.linalg.norm(at - VOXEL.centre_mm) < 2.5
    (lesions,) = map_lesions(head, [], ["01"], seed=1)
    volumes = voxel_fractions(head, lesions, pose, affine)
    assert sum(volumes.values()) == pytest.approx(1.0, abs=1e-4)
    assert volumes["gm"] > 0.3  # the putamen
    assert volumes.get("bone", 0.0) == 0.0


def test_water_is_weighed_with_water_content() -> None:
    # 0.78 and 0.65: water content of grey and white matter.
    water = voxel_water({"gm": 0.5, "wm": 0.5, "bone": 0.0}, 1.5)
    assert water.fractions == pytest.approx({"gm": 0.78 / 1.43, "wm": 0.65 / 1.43})
