from __future__ import annotations

import math

import pytest

from hlhneuro.phantom.physics import LESION_STATES, SEQUENCES, TISSUES, Sequence, Tissue, signal, tissue

FIELDS = (1.5, 3.0)


def test_spin_echo_is_saturation_times_decay() -> None:
    matter = Tissue(t1_s=1.0, t2_s=0.1, water=0.8, adc_um2_per_ms=1.0, gadolinium_mm=0.0)
    # TR = T1 and TE = T2: 0.8 * (1 - 1/e) / e
    assert signal(matter, Sequence("se", 1.0, 0.1)) == pytest.approx(0.8 * (1 - 1 / math.e) / math.e)


def test_a_flip_of_ninety_degrees_makes_the_gradient_echo_a_saturation_recovery() -> None:
    matter = Tissue(t1_s=0.5, t2_s=0.1, water=1.0, adc_um2_per_ms=1.0, gadolinium_mm=0.0)
    assert signal(matter, Sequence("gre", 0.5, 0.0, flip_angle_deg=90.0)) == pytest.approx(1 - 1 / math.e)


def test_the_ernst_angle_gives_the_most_signal() -> None:
    matter = Tissue(t1_s=1.0, t2_s=0.1, water=1.0, adc_um2_per_ms=1.0, gadolinium_mm=0.0)
    ernst = math.degrees(math.acos(math.exp(-0.02)))
    best = signal(matter, Sequence("gre", 0.02, 0.0, flip_angle_deg=ernst))
    assert all(best > signal(matter, Sequence("gre", 0.02, 0.0, flip_angle_deg=ernst + d)) for d in (-2, 2))


@pytest.mark.parametrize("field_t", FIELDS)
def test_flair_nulls_fluid(field_t: float) -> None:
    fluid, sequence = tissue("csf", field_t), SEQUENCES["FLAIR", field_t]
    null_s = fluid.t1_s * math.log(2 / (1 + math.exp(-sequence.repetition_time_s / fluid.t1_s)))
    assert sequence.inversion_time_s == pytest.approx(null_s, abs=0.02)
    assert abs(signal(fluid, sequence)) < 0.05 * signal(tissue("wm", field_t), sequence)


@pytest.mark.parametrize("field_t", FIELDS)
def test_contrasts_are_ordered_as_radiologists_know_them(field_t: float) -> None:
    def order(contrast: str, *names: str) -> bool:
        values = [signal(tissue(name, field_t), SEQUENCES[contrast, field_t]) for name in names]
        return values == sorted(values, reverse=True)

    assert order("T1w", "fat", "wm", "gm", "csf", "bone")
    assert order("T1w", "wm", "inflamed", "necrotic", "csf")
    assert order("T2w", "csf", "necrotic", "inflamed", "gm", "wm", "muscle", "bone")
    assert order("FLAIR", "inflamed", "gm", "wm", "csf")


@pytest.mark.parametrize("field_t", FIELDS)
def test_gadolinium_brightens_an_inflamed_lesion_beyond_white_matter_and_leaves_the_brain_alone(field_t: float) -> None:
    sequence = SEQUENCES["T1w", field_t]
    lesion, white = tissue("inflamed", field_t), tissue("wm", field_t)
    assert signal(lesion, sequence) < signal(white, sequence) < signal(lesion.enhanced(), sequence)
    assert signal(white.enhanced(), sequence) == pytest.approx(signal(white, sequence), rel=0.02)


def test_gadolinium_adds_to_the_relaxation_rate() -> None:
    matter = Tissue(t1_s=1.0, t2_s=0.1, water=1.0, adc_um2_per_ms=1.0, gadolinium_mm=0.25)
    assert matter.enhanced().t1_s == pytest.approx(0.5)  # 1 per second from 0.25 mM of 4 per mM per s


def test_diffusion_weighting_gives_the_diffusion_coefficient_back() -> None:
    matter = tissue("restricted", 1.5)
    plain, weighted = (Sequence("se", 4.0, 0.09, b_value_s_per_mm2=b) for b in (0.0, 1000.0))
    adc_mm2_per_s = math.log(signal(matter, plain) / signal(matter, weighted)) / 1000.0
    assert adc_mm2_per_s == pytest.approx(matter.adc_um2_per_ms * 1e-3)
    assert adc_mm2_per_s < tissue("wm", 1.5).adc_um2_per_ms * 1e-3 < tissue("inflamed", 1.5).adc_um2_per_ms * 1e-3


def test_the_table_knows_every_tissue_at_both_fields() -> None:
    for name in (*TISSUES, *LESION_STATES):
        for field_t in FIELDS:
            assert 0 <= tissue(name, field_t).water <= 1
    with pytest.raises(KeyError):
        tissue("gm", 7.0)


def test_an_unknown_kind_of_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="epi"):
        signal(tissue("gm", 1.5), Sequence("epi", 1.0, 0.1))
