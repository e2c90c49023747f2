"""Every tunable number: one frozen dataclass per stage, read from TOML; each default names its source."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from hlhneuro.errors import StudyError

__all__ = [
    "AlignSettings",
    "ChangeSettings",
    "LesionSettings",
    "MatchSettings",
    "PatternSettings",
    "PrepareSettings",
    "ReportSettings",
    "Settings",
    "SignSettings",
    "SpectraSettings",
    "TemplateSettings",
    "VolumeSettings",
    "load_settings",
    "settings_as_toml",
]

T = TypeVar("T")


def tuned(default: T, source: str, unit: str = "") -> T:
    """Declare one setting: its default, where that number comes from, and its unit."""
    if not source:
        raise ValueError("a setting needs a source, or the words 'expert-set'")
    value: T = field(default=default, metadata={"source": source, "unit": unit})
    return value


@dataclass(frozen=True)
class MatchSettings:
    """When a registration is believed: the same for two contrasts and for two sessions."""

    registration_margin_mm: float = tuned(
        16.0,
        "measured on one patient: starts 8 mm and 8 degrees off (SD) are all found back; at 10 mm 1 of 12 is lost",
        "mm",
    )
    start_overlap: float = tuned(
        0.5, "expert-set: Dice of two brains from which the scanner's coordinates are worth a try"
    )
    start_turn_deg: float = tuned(
        30.0,
        "expert-set: for heads that lie turned; the coarse search finds the rest within some twenty degrees",
        "deg",
    )
    lowest_similarity: float = tuned(
        1.02, "measured: five unrelated pairs reach 1.006, the worst good pair of four patients 1.036"
    )
    lowest_overlap: float = tuned(0.7, "expert-set: brain masks of two images that miss each other")
    lowest_detail: float = tuned(
        0.4,
        "chosen after seeing shared data: pairs of two people reach 0.24 at most, of one person 0.61 at least",
    )
    doubtful_detail: float = tuned(
        0.6, "chosen after seeing shared data: one mirrored scan reached 0.40; below, the mirrored image is tried too"
    )
    largest_inverse_gap_mm: float = tuned(
        4.0, "expert-set: one voxel of the coarse search; from within it the last step finds the same place", "mm"
    )


@dataclass(frozen=True)
class PrepareSettings(MatchSettings):
    """From a scanner image to a bias-corrected, brain-masked one (`hlhneuro.imaging`)."""

    n4_voxel_size_mm: float = tuned(
        6.0,
        "measured on known fields of 15 % SD (tests/benchmarks/test_bench_brain.py): 6 mm leaves 4.1 % in 1.5 s, "
        "5 mm 3.9 % in 2.0 s, 4 mm 3.5 % in 5.7 s, 8 mm 4.9 % in 0.7 s",
        "mm",
    )
    n4_iterations: tuple[int, ...] = tuned(
        (40, 40, 30), "measured there: two levels leave 5.3 % for 4.1 %, one 8 %; a fourth fits the anatomy (7 %)"
    )
    n4_convergence: float = tuned(1e-3, "default of SimpleITK's N4")
    quantitative: tuple[str, ...] = tuned(
        ("ADC", "FA", "MD", "T1map", "T2map", "T2starmap", "R2starmap", "Chimap", "CBF", "CBV", "MTT"),
        "BIDS suffixes of maps whose values have units: they are neither bias-corrected nor normalised",
    )
    followers: tuple[str, ...] = tuned(
        ("SWI", "T2starw", "minIP"), "expert-set: veins and air hide the brain's border; beside others they do not vote"
    )
    reference_order: tuple[str, ...] = tuned(
        ("FLAIR", "T2w", "T1w", "ce-gadolinium_T1w"), "expert-set: lesions are read on FLAIR; enhancement changes T1w"
    )
    working_voxel_mm: float = tuned(
        2.0, "expert-set: half of a clinical slice; masks and registration work on it", "mm"
    )
    brain_threshold: float = tuned(0.85, "expert-set: part of Otsu's threshold; dark cortex stays in")
    brain_opening_mm: float = tuned(
        8.0, "measured on one patient: 8 mm was best or next to it for FLAIR, T1w and T2w", "mm"
    )
    brain_closing_mm: float = tuned(6.0, "expert-set: wider than a sulcus", "mm")
    brain_engine: str = tuned(
        "opening", "'opening' needs nothing else; 'deepbet' (extra of that name; Fisch 2024) knows adults' T1w only"
    )
    rough_sd_mm: float = tuned(3.0, "expert-set: error of the rough mask's surface, half of the opening", "mm")
    rough_trust_logit: float = tuned(2.0, "expert-set: deep inside it, one voxel in eight is still not brain")
    template_sd_mm: float = tuned(4.0, "expert-set: what an affine template is off by at the surface", "mm")
    evidence_sigma_mm: float = tuned(2.0, "expert-set: half of a clinical slice", "mm")
    evidence_most_logit: float = tuned(3.0, "expert-set: intensities alone never decide beyond 1 in 20")
    brain_search_mm: float = tuned(20.0, "expert-set: holds scalp, eyes and muscle to learn from, little air", "mm")
    brain_thread_mm: float = tuned(3.0, "expert-set: vessels, nerves and dura are thinner than twice this", "mm")
    brain_refit_part: float = tuned(0.05, "expert-set: beyond it the rough mask held more than brain")
    cut_area_mm2: float = tuned(
        1000.0, "expert-set: a brain that ends over more than this is cut; the cord takes 100 to 300", "mm2"
    )
    extracted_zero_fraction: float = tuned(0.3, "expert-set: a head in air is noise, not zero")
    extracted_largest_ml: float = tuned(2100.0, "expert-set: above most adult brains with their fluid", "ml")
    smallest_brain_ml: float = tuned(200.0, "expert-set: below a newborn's brain", "ml")
    largest_brain_ml: float = tuned(2500.0, "expert-set: above any brain with its fluid", "ml")


@dataclass(frozen=True)
class AlignSettings(MatchSettings):
    """All sessions and contrasts of a subject in one space (`hlhneuro.imaging`)."""

    voxel_size_mm: float = tuned(1.0, "expert-set: isotropic, finer than clinical slice thickness", "mm")
    margin_mm: float = tuned(8.0, "expert-set: room around the brain for skull and figures", "mm")
    reference_order: tuple[str, ...] = tuned(
        ("FLAIR", "T2w", "T1w", "ce-gadolinium_T1w"), "expert-set: sessions are matched on what both have, best first"
    )
    neighbours: int = tuned(
        2, "expert-set: partners on either side; up to five sessions all pairs are matched, beyond it time stays linear"
    )
    working_voxel_mm: float = tuned(2.0, "expert-set: half of a clinical slice", "mm")
    deformable_engine: str = tuned("greedy", "expert-set: greedy, or ants (the extra 'ants' has to be installed)")
    deformable_iterations: str = tuned(
        "50x30", "expert-set: at 6 and 3 mm; the template is a guide, not an atlas; empty: affine only"
    )
    deformable_voxel_mm: float = tuned(3.0, "expert-set: lesions are smaller than what this can follow", "mm")
    deformable_smoothing: str = tuned("2.0vox 1.0vox", "expert-set: of each step and of the whole (greedy)", "voxels")
    largest_folding: float = tuned(0.0, "a map of one brain onto another has no folds; part of the brain that may fold")
    largest_overlap_loss: float = tuned(0.02, "expert-set: by which a deformation may worsen the Dice of the brains")
    outlier_sd: float = tuned(3.0, "expert-set: beyond normal tissue by this many spreads of what tissue leaves over")
    outlier_reach_mm: float = tuned(8.0, "expert-set: twice what an affine match misses an average brain by", "mm")
    outlier_smallest_ml: float = tuned(0.5, "expert-set: smaller lesions do not pull at a field this smooth", "ml")
    outlier_margin_mm: float = tuned(6.0, "expert-set: two voxels, the reach of the local correlation", "mm")
    outlier_most: float = tuned(0.3, "expert-set: a larger part of the brain is a failure to recognise its tissue")
    white_probability: float = tuned(0.8, "expert-set: mostly white matter in the template")
    fewest_voxels: int = tuned(1000, "expert-set: fewer make a median or a fit uncertain", "voxels")
    trim_sd: float = tuned(2.5, "expert-set: about one normal voxel in a hundred is beyond it")
    normalisation_rounds: int = tuned(
        4, "phantom: lines and fields that wait for each other settle in four, with wide fields and with local ones"
    )
    ratio_sigma_mm: float = tuned(20.0, "expert-set: wider than lesions, narrower than a receive field", "mm")
    fit_spacing_mm: float = tuned(
        4.0, "phantom: means over cubes of 4 mm hold little noise; some 20,000 are left to fit to", "mm"
    )
    largest_gain: float = tuned(5.0, "expert-set: images farther apart do not show the same contrast")
    noise_rim_mm: float = tuned(3.0, "expert-set: the brain's surface differs for reasons other than noise", "mm")
    least_noise_share: float = tuned(0.05, "expert-set: no session is that much quieter than the others")


@dataclass(frozen=True)
class TemplateSettings:
    """Which template the brain is matched to (`hlhneuro.imaging`); see docs/templates.md."""

    path: str = tuned(
        "", "empty: MNI152, 152 adults (Fonov 2011, NeuroImage 54:313); or a folder named as in TemplateFlow"
    )
    t1w: str = tuned("", "file in that folder, where its name does not tell; at least one of t1w and t2w is needed")
    t2w: str = tuned("", "file in that folder, where its name does not tell")
    brain: str = tuned("", "file in that folder, where its name does not tell: brain mask")
    gm: str = tuned("", "file in that folder, where its name does not tell: probability of grey matter")
    wm: str = tuned("", "file in that folder, where its name does not tell: probability of white matter")
    csf: str = tuned("", "file in that folder, where its name does not tell: probability of fluid")
    voxel_size_mm: float = tuned(2.0, "expert-set: a template is smooth, and registration works on 2 and 3 mm", "mm")
    immature_years: float = tuned(2.0, "immature myelin below 24 months (CNS-HLH imaging reviews)", "years")


@dataclass(frozen=True)
class LesionSettings:
    """Tissue model, lesion masks, territories (`hlhneuro.lesions`)."""

    prior_blur_mm: float = tuned(1.5, "expert-set: what an affine-quality template registration is off by", "mm")
    prior_floor: float = tuned(0.001, "expert-set: no tissue is impossible anywhere in the brain")
    em_voxels: int = tuned(50_000, "expert-set: class means known to 0.01 of their spread", "voxels per session")
    em_iterations: int = tuned(40, "expert-set: cap; convergence takes 10 to 30")
    em_tolerance: float = tuned(
        1e-4, "expert-set: far below the noise of normalised intensities", "normalised intensity"
    )
    trim_quantile: float = tuned(0.99, "expert-set: trimmed likelihood (Garcia-Lorenzo 2011) with a small cut")
    minimum_coverage: float = tuned(0.9, "expert-set: a contrast that covers less of the brain is not used")
    fluid_prior: float = tuned(0.05, "expert-set: without FLAIR, places with more chance of fluid are not judged")
    fluid_gate_sd: float = tuned(2.0, "expert-set: T2 may be this much less bright than FLAIR before it vetoes", "SD")
    context_mm: float = tuned(
        1.0, "expert-set: half of the smallest lesion diameter of interest (about 3 mm FWHM)", "mm"
    )
    side_gap: float = tuned(
        0.15, "expert-set: more than coil and myelination differ between the sides", "of white matter"
    )
    suspect_sd: float = tuned(2.5, "expert-set: one normal voxel in 160 lies beyond; it takes no part in a null", "SD")
    prior_bins: int = tuned(8, "expert-set: finer than the error of a template prior")
    prior_bin_voxels: int = tuned(1000, "expert-set: centre and scale known to a twentieth of the scale", "voxels")
    family_wise_error: float = tuned(0.05, "convention: chance of one false seed in a brain without lesions")
    local_fdr: float = tuned(0.5, "Efron 2004: as likely lesion as normal tissue")
    core_fluid_mm: float = tuned(
        10.0, "expert-set: fluid deeper than this below the brain's surface is ventricle", "mm"
    )
    ventricle_closing_mm: float = tuned(5.0, "expert-set: half the width of the glomus of the choroid plexus", "mm")
    bright_place_sd: float = tuned(1.0, "expert-set: normal tracts are not brighter than most grey matter", "SD")
    rim_mm: float = tuned(2.0, "expert-set: one cortical partial-volume voxel below the brain's surface", "mm")
    minimum_lesion_ml: float = tuned(0.01, "expert-set: about 3 mm across, as in consensus counting rules", "ml")
    bias_change_mm: float = tuned(15.0, "expert-set: coil sensitivity varies over more than this", "mm")
    t2w_effect: float = tuned(
        0.8, "expert-set: brightness of a lesion on T2w over that on FLAIR, in normal white matter"
    )
    t1w_effect: float = tuned(0.2, "expert-set: its darkness on T1w likewise; most lesions are hardly dark there")
    change_scales_mm: tuple[float, ...] = tuned(
        (1.0, 2.0), "expert-set: small strong and large faint changes; half of the diameters of interest", "mm"
    )
    changed_evidence_sd: float = tuned(
        1.0, "expert-set: what changed and is brighter than five of six voxels of normal tissue is lesion", "SD"
    )
    rim_sd: float = tuned(
        2.0, "convention: beyond 95 % of normal tissue; of 1 and 2, chosen after seeing patient26", "SD"
    )
    texture_mm: float = tuned(1.5, "geometry: half of a 3 mm slice, over which an edge turns into a difference", "mm")
    texture_bins: int = tuned(20, "expert-set: more bins change nothing, fewer smear edges")
    soft_edge_mm: float = tuned(3.0, "expert-set: a lesion fades into tissue over at most this", "mm")
    reference_diameter_mm: float = tuned(6.0, "expert-set: twice the smallest lesion that readers count", "mm")
    reference_white: float = tuned(0.8, "expert-set: white matter, and no other tissue near")
    reference_places: int = tuned(200, "expert-set: one half is known to 0.035")
    brightest_lesion: float = tuned(
        2.0, "expert-set: no lesion is three times as bright as white matter", "white matter"
    )
    usual_edge_mm: float = tuned(2.0, "expert-set: between a sharp edge and the widest", "mm")
    border_steps: int = tuned(2, "expert-set: more steps let noise decide the size of small lesions in thick slices")
    boundary_share: float = tuned(0.5, "geometry: half of the voxel is lesion at its border")
    border_sd_mm: float = tuned(0.05, "known lesions (bench): by how much all borders lie too far in or out", "mm")
    border_noise_kept: float = tuned(
        0.9,
        "known lesions (bench; .85 until 93 % were held): error of a border alike at all sessions, in noise over slope",
    )
    border_noise_fresh: float = tuned(
        0.3, "known lesions (bench): error of a lesion's border that is new at each session, in noise over slope"
    )
    border_faint_ratio: float = tuned(
        0.3,
        "expert-set, by eye on known lesions of +.125: noise over contrast at which the edge left out doubles it",
    )
    border_faint_most: float = tuned(
        4.0, "expert-set, by eye on the same: most that a faint edge adds to the error of noise"
    )
    supplied_share: float = tuned(
        0.5, "a voxel that is more likely lesion than not; the default of LST-AI (Wiltgen 2024) for its probabilities"
    )
    supplied_in_brain: float = tuned(0.5, "expert-set: a mask of which less lies in the brain is not of this session")
    young_years: float = tuned(2.0, "immature myelin below 24 months (CNS-HLH imaging reviews)", "years")


@dataclass(frozen=True)
class ChangeSettings:
    """What counts as changed between two sessions (`hlhneuro.lesions`)."""

    coverage_factor: float = tuned(1.96, "convention: 95 % of a normal error")
    affected_ml: float = tuned(0.02, "expert-set: twice the smallest lesion kept", "ml")


@dataclass(frozen=True)
class SignSettings:
    """What else lesions show, against the subject's own normal tissue (`hlhneuro.lesions.signs`)."""

    suspect_probability: float = tuned(0.1, "expert-set: what may be lesion or fluid is no normal tissue")
    lesion_margin_mm: float = tuned(3.0, "expert-set: a lesion fades into tissue over at most this", "mm")
    rim_mm: float = tuned(2.0, "expert-set: one cortical partial-volume voxel below the brain's surface", "mm")
    core_mm: float = tuned(10.0, "expert-set: fluid deeper than this below the brain's surface is ventricle", "mm")
    context_mm: float = tuned(1.0, "expert-set: half of the smallest lesion diameter of interest", "mm")
    field_mm: float = tuned(20.0, "expert-set: wider than lesions, narrower than a receive field", "mm")
    reference_voxels: int = tuned(500, "expert-set: median known to a twentieth of the spread", "voxels")
    fewest_voxels: int = tuned(8, "expert-set: fewer do not make a fraction", "voxels")
    sign_sd: float = tuned(3.0, "expert-set: one normal voxel in 740 lies beyond", "robust SD")
    limit_sd: float = tuned(0.5, "expert-set: by how much the limit may fairly be moved", "robust SD")
    coverage_factor: float = tuned(1.96, "convention: 95 % of a normal error")
    false_discovery: float = tuned(0.05, "convention: one false call in twenty (Benjamini & Hochberg 1995)")
    places: int = tuned(400, "expert-set: chance known to 1 in 400, enough to call one lesion among twenty")
    fewest_places: int = tuned(50, "expert-set: fewer cannot tell 1 in 20 from less")
    placed_voxels: int = tuned(1000, "expert-set: larger lesions are stood for by a part of this size", "voxels")
    placed_normal: float = tuned(0.8, "expert-set: part of a place that has to be normal tissue")
    deep_mm: float = tuned(20.0, "expert-set: beyond it vessels are as rare as they get", "mm")
    alike: float = tuned(0.25, "expert-set: a quarter more or less (white matter, depth) is tissue of the same kind")
    smallest_ml: float = tuned(0.01, "expert-set: about 3 mm across, as the smallest lesion kept", "ml")
    restricted_fraction: float = tuned(0.05, "expert-set: well above what normal tissue shows by chance")
    raised_fraction: float = tuned(0.05, "expert-set: well above what normal tissue shows by chance")
    enhancing_fraction: float = tuned(0.05, "expert-set: well above what normal tissue shows by chance")
    hypointense_fraction: float = tuned(0.05, "expert-set: well above what normal tissue shows by chance")
    dark_fraction: float = tuned(0.05, "expert-set: well above what normal tissue shows by chance")
    adc_tissue_range: tuple[float, ...] = tuned(
        (0.4, 2.0),
        "brain tissue from newborn (1.04 to 1.64) to adult (0.67 to 0.92): Engelbrecht 2002, Radiology 222:410, with a "
        "margin; no two units of a map share a value in it",
        "1e-3 mm2/s",
    )
    adc_fluid_ratio: float = tuned(1.3, "physics: free water at 37 C is 3.0e-3 mm2/s, above any brain tissue")
    mirror_part: float = tuned(0.5, "expert-set: part of the mirrored place that has to be normal tissue")
    border_mm: float = tuned(1.5, "expert-set: a shell that enhances lies on the border of what FLAIR shows", "mm")
    form_height: float = tuned(0.5, "geometry: half of the height lies at the border of what is blurred")
    gap_mm: float = tuned(2.0, "expert-set: gaps in a shell that noise and thick slices leave", "mm")
    core_part: float = tuned(0.03, "geometry: the core of a ring is at least a third of it across")
    nodule_mm: float = tuned(15.0, "expert-set: larger solid enhancement is called diffuse", "mm")
    dura_mm: float = tuned(3.0, "expert-set: dura and the veins of the surface lie farther out", "mm")
    falx_mm: float = tuned(8.0, "expert-set: falx and sagittal sinus lie nearer to the mid-plane", "mm")
    base_mm: float = tuned(15.0, "expert-set: cisterns, large arteries and tentorium lie lower in MNI152", "mm")
    sulci_ml: float = tuned(1.0, "expert-set: less fluid in sulci than this says nothing of the whole", "ml")
    sulcal_absent: float = tuned(0.1, "expert-set, not validated: part of the sulci that vessels may take up")
    sulcal_present: float = tuned(0.5, "expert-set, not validated: vessels fill less than half of the sulci")
    immature_years: float = tuned(2.0, "immature myelin below 24 months (CNS-HLH imaging reviews)", "years")
    site_ml: float = tuned(0.1, "expert-set: a smaller site is all border", "ml")
    loss_fraction: float = tuned(0.1, "expert-set: a tenth of the site, and beyond what places like it show")
    plane_sd_mm: float = tuned(1.0, "expert-set: half a voxel of the affine match with the template", "mm")
    third_ventricle_ml: float = tuned(0.2, "expert-set: less fluid has no centre to speak of", "ml")
    midline_mm: float = tuned(3.0, "expert-set: below the 5 mm that are acted upon, three errors of the plane", "mm")
    pressing_ml: float = tuned(1.0, "expert-set: smaller lesions displace nothing that could be seen", "ml")
    beside_mm: float = tuned(10.0, "expert-set: how far a lesion's pressure on a ventricle is looked for", "mm")
    ventricle_ml: float = tuned(
        1.0, "expert-set: the error of the mid-plane moves less fluid in and out of reach", "ml"
    )
    narrowed: float = tuned(0.5, "expert-set: ventricles of healthy people differ by less than half")


@dataclass(frozen=True)
class VolumeSettings:
    """Brain and ventricle volume change on T1w (`hlhneuro.lesions.volumes`)."""

    largest_voxel_mm: float = tuned(
        1.5, "expert-set: 3-D acquisitions of clinical use; thick slices blur the border by more than it moves", "mm"
    )
    protocol_tolerance: float = tuned(0.1, "expert-set: part by which times, angles and voxels of two scans may differ")
    least_coverage: float = tuned(0.99, "expert-set: part of the brain that both scans have to show")
    window: tuple[float, ...] = tuned(
        (0.25, 0.75), "expert-set: between fluid (0) and grey matter (1), clear of the noise of both"
    )
    band_mm: float = tuned(2.0, "expert-set: half of the cortex, wider than any border moves in a year or two", "mm")
    search_mm: float = tuned(2.0, "expert-set: how far the brain may reach beyond its mask", "mm")
    core_mm: float = tuned(2.0, "expert-set: white matter free of partial volume", "mm")
    brightest: float = tuned(1.25, "expert-set: brighter than white matter by this part is fat or blood")
    field_mm: float = tuned(10.0, "expert-set: narrower than a receive field, wider than the core has gaps", "mm")
    trim_sd: float = tuned(2.5, "expert-set: about one normal voxel in a hundred is beyond it", "SD")
    depth_mm: float = tuned(2.0, "expert-set: beyond it the border's partial volume ends", "mm")
    near_mm: float = tuned(8.0, "expert-set: still mostly grey matter", "mm")
    fewest_voxels: int = tuned(1000, "expert-set: fewer make a median uncertain", "voxels")
    least_contrast: float = tuned(0.1, "expert-set: of white matter, between fluid and grey matter; three SD of noise")
    ventricle_depth_mm: float = tuned(
        10.0, "expert-set: fluid deeper than this below the brain's surface is ventricle", "mm"
    )
    ventricle_reach_mm: float = tuned(4.0, "expert-set: the band about the wall, and horns that lie nearer", "mm")
    least_ventricle_ml: float = tuned(2.0, "expert-set: a smaller ventricle is all border", "ml")
    brain_retest_percent: float = tuned(
        0.10,
        "measured on synthetic repeats (tests/benchmarks/test_bench_volumes.py): other position, noise and field; real "
        "repeats hold more (SIENA: median 0.35 %)",
        "%",
    )
    ventricle_retest_percent: float = tuned(1.0, "measured there", "%")
    recovery_error: float = tuned(
        0.12, "measured on phantoms and one real T1w: changes from 0.5 to 2 % come back as 0.76 to 1.52, median near 1"
    )
    coverage_factor: float = tuned(1.96, "convention: 95 % of a normal error")


@dataclass(frozen=True)
class SpectraSettings:
    """Preprocessing, fit and quality of spectra (`hlhneuro.spectroscopy`)."""

    basis_metabolites: tuple[str, ...] = tuned(
        (
            *("Ala", "Asc", "Asp", "Cr", "PCr", "GABA", "Glc", "Gln", "Glu", "GPC", "PCho", "PE", "GSH", "Gly", "mI"),
            *("sIns", "Lac", "NAA", "NAAG", "Tau"),
        ),
        "the twenty metabolites a short-echo brain spectrum at 3 T holds: Wilson 2019, Magn Reson Med 82:527",
    )
    press_first_echo_s: float = tuned(
        0.012, "expert-set: near the shortest TE1 of clinical PRESS; used if unknown", "s"
    )
    steam_mixing_time_s: float = tuned(0.010, "expert-set: common TM of clinical STEAM; used if unknown", "s")
    longest_echo_time_s: float = tuned(2.0, "expert-set: longer times are milliseconds taken for seconds", "s")
    basis_field_tolerance: float = tuned(0.01, "expert-set: shifts keep their ppm, couplings are off by 1 % at most")
    basis_echo_time_tolerance_s: float = tuned(0.001, "expert-set: coupled signals turn by J*TE, below 1 %", "s")
    fit_low_ppm: float = tuned(0.2, "Provencher 1993, Magn Reson Med 30:672: PPMEND of LCModel", "ppm")
    fit_high_ppm: float = tuned(4.2, "expert-set: below residual water, above the upper creatine line", "ppm")
    longest_start_shift_ppm: float = tuned(0.2, "expert-set: field drift and water reference errors", "ppm")
    shift_sd_ppm: float = tuned(
        0.002,
        "expert-set: half of LCModel's 0.004; chosen after seeing datasets 1-7 of the 2016 fitting challenge",
        "ppm",
    )
    lorentz_sd_hz: float = tuned(
        0.3, "expert-set; chosen after seeing datasets 1-7 of the 2016 fitting challenge, before it was 0.6", "Hz"
    )
    broad_shift_sd_ppm: float = tuned(0.02, "expert-set: lipid and simulated macromolecule shifts", "ppm")
    measured_mm_shift_sd_ppm: float = tuned(0.03, "expert-set: a measured background keeps its own reference", "ppm")
    broad_width_sd_ppm: float = tuned(0.03, "expert-set: a fifth of the width of lipid lines", "ppm")
    phase1_sd_deg_per_ppm: float = tuned(
        1.0, "expert-set: sampling starts at the echo but for one dwell time", "deg/ppm"
    )
    baseline_splines_per_ppm: float = tuned(8.0, "expert-set: twice the greatest flexibility that is offered", "1/ppm")
    baseline_flexibility_per_ppm: tuple[float, ...] = tuned(
        (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 7.0),
        "range of ABfit (Wilson 2021, Magn Reson Med 85:13); 0.25 added after seeing the 2016 fitting challenge",
        "1/ppm",
    )
    baseline_aic_factor: float = tuned(5.0, "ABfit: Wilson 2021, Magn Reson Med 85:13")
    macromolecules_until_echo_time_s: float = tuned(0.1, "expert-set: T2 of macromolecules at 3 T is 13 to 40 ms", "s")
    detection_sd: float = tuned(3.0, "expert-set: three standard deviations above zero, relative bound 33 %")
    most_iterations: int = tuned(30, "expert-set: measured need is 5 to 15")
    coil_points: int = tuned(256, "expert-set: the start of the FID, where signal is strong")
    registration_window_s: float = tuned(0.2, "Near 2015, Magn Reson Med 73:44: leading part of the FID", "s")
    outlier_sd: float = tuned(5.0, "expert-set: robust standard deviations beyond which a transient is left out")
    water_band_ppm: float = tuned(0.8, "expert-set: band about water in which it is modelled", "ppm")
    water_half_width_ppm: float = tuned(0.35, "expert-set: what counts as water, 4.3 to 5.0 ppm", "ppm")
    water_search_ppm: float = tuned(0.55, "expert-set: residual water lies within 4.1 to 5.2 ppm", "ppm")
    water_free_ppm: float = tuned(3.5, "expert-set: below it no tail of residual water is as tall as NAA", "ppm")
    water_worth_removing: float = tuned(1.0, "expert-set: height over the tallest metabolite; Cr at 3.9 ppm is lower")
    water_components: int = tuned(12, "expert-set: damped sinusoids in the band, of which water takes up to ten")
    water_echo_time_tolerance: float = tuned(0.05, "expert-set: part by which echo times may differ")
    water_window_s: float = tuned(0.02, "expert-set: where the water signal is extrapolated to time zero from", "s")
    conjugate_energy_ratio: float = tuned(4.0, "expert-set: mirrored over expected metabolite energy")
    concentration_unit: str = tuned("mmol/kg", "Gasparovic 2006, Magn Reson Med 55:1219 (molal); or mM (molar)")
    relaxation_field_tolerance: float = tuned(0.07, "expert-set: 2.89 T counts as 3 T")
    lesion_fraction_note: float = tuned(0.1, "expert-set: lesion part of the voxel above which a note is given")
    good_snr: float = tuned(10.0, "expert-set: peak over two noise standard deviations")
    worst_snr: float = tuned(3.0, "expert-set: below it no metabolite but the largest can be told from noise")
    good_linewidth_ppm: float = tuned(0.07, "Kreis 2004, NMR Biomed 17:361, from memory: lower rejection limit", "ppm")
    worst_linewidth_ppm: float = tuned(0.1, "Kreis 2004, NMR Biomed 17:361, from memory: upper rejection limit", "ppm")
    good_residual: float = tuned(0.15, "expert-set: unexplained part of the signal, root mean square")
    worst_residual: float = tuned(0.5, "expert-set: half of the signal is something else")


@dataclass(frozen=True)
class PatternSettings:
    """Rules that name a spectral pattern (`hlhneuro.spectroscopy.patterns`)."""

    lactate_ratio: float = tuned(0.22, "Lunsing 2017, Eur Radiol: Lac/Cr above 0.22 is abnormal; not validated in HLH")
    lipid_ratio: float = tuned(0.5, "expert-set, not validated in HLH: lipid at 1.3 ppm over tCr that matters")
    lipid_echo_s: float = tuned(0.1, "expert-set: lipids have a T2 of some 60 ms", "s")
    reduced_ratio: float = tuned(0.8, "expert-set, not validated in HLH: part of the reference")
    raised_ratio: float = tuned(1.2, "expert-set, not validated in HLH: part of the reference")
    all_low_ratio: float = tuned(
        0.6, "expert-set, not validated in HLH: NAA, Cr and Cho each; direction after Kamada 1997, Bizzi 2001"
    )
    mirror_suffixes: tuple[str, ...] = tuned(
        ("mirror", "contra"), "expert-set: ends of the voi label of a mirror voxel"
    )
    mirror_lesion_fraction: float = tuned(0.05, "expert-set: a mirror voxel has to be free of lesion")
    echo_time_match_s: float = tuned(0.002, "expert-set: spectra to be compared have the same echo time", "s")
    inverted_echo_low_s: float = tuned(0.13, "1/J of lactate is 144 ms (J 6.93 Hz): Govindaraju 2000", "s")
    inverted_echo_high_s: float = tuned(0.16, "1/J of lactate is 144 ms (J 6.93 Hz): Govindaraju 2000", "s")
    cancellation_field_t: float = tuned(2.5, "Lange 2006, AJNR 27:895: shown at 3 T", "T")


@dataclass(frozen=True)
class ReportSettings:
    """What the report shows (`hlhneuro.report`)."""

    panel_slices: int = tuned(3, "expert-set: axial slices per session that a page shows at a readable size")
    slice_spacing_mm: float = tuned(12.0, "expert-set: two slices closer than this show the same lesion", "mm")
    sessions_per_figure: int = tuned(5, "expert-set: more columns are too narrow on A4")
    quality_positions: tuple[float, ...] = tuned((0.25, 0.5, 0.75), "expert-set: parts of the brain's extent")
    checkerboard_mm: float = tuned(20.0, "expert-set: wider than a gyrus, so that each square shows an edge", "mm")
    edge_sigma_mm: float = tuned(1.5, "expert-set: edges of tissue and not of noise (Marr & Hildreth 1980)", "mm")
    edge_part: float = tuned(0.3, "expert-set: the steepest part of the brain's voxels counts as edge")
    image_dpi: int = tuned(120, "expert-set: sharp on screen, pages stay small", "dpi")
    spectra_as_svg: int = tuned(6, "measured: each vector figure takes about 0.3 MB; more are drawn as PNG")
    max_page_mb: float = tuned(10.0, "expert-set: mail servers and browsers still take it; images shrink above", "MB")
    lesions_listed: int = tuned(30, "expert-set: rows that can still be read; the table file holds all lesions")
    summary_findings: int = tuned(6, "expert-set: findings named in the summary before it refers to the table")


@dataclass(frozen=True)
class Settings:
    """All stages together. Immutable; `replace` or `load_settings` make a changed copy."""

    prepare: PrepareSettings = PrepareSettings()
    align: AlignSettings = AlignSettings()
    template: TemplateSettings = TemplateSettings()
    lesions: LesionSettings = LesionSettings()
    change: ChangeSettings = ChangeSettings()
    signs: SignSettings = SignSettings()
    volumes: VolumeSettings = VolumeSettings()
    spectra: SpectraSettings = SpectraSettings()
    patterns: PatternSettings = PatternSettings()
    report: ReportSettings = ReportSettings()

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return stage -> name -> value, as written to sidecars."""
        return dataclasses.asdict(self)


def load_settings(path: Path | None = None, overrides: Iterable[str] = ()) -> Settings:
    """Read settings from a TOML file and from ``stage.name=value`` texts.

    Parameters
    ----------
    path : path, optional
        TOML file with one table per stage; names that are left out keep their default.
    overrides : iterable of str
        ``stage.name=value`` texts, the value written as in TOML; they win over the file.

    Returns
    -------
    Settings

    Raises
    ------
    StudyError
        If the file cannot be read, or a stage, name or type is unknown.
    """
    tables: dict[str, dict[str, Any]] = {}
    if path is not None:
        try:
            tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StudyError(
                f"settings could not be read: {error}", path=path, remedy="give a TOML file with one table per stage"
            ) from error
    for text in overrides:
        stage, name, value = _parse_override(text)
        tables.setdefault(stage, {})[name] = value
    return _build(tables, path)


def _parse_override(text: str) -> tuple[str, str, Any]:
    key, equals, raw = text.partition("=")
    stage, dot, name = key.strip().partition(".")
    if not (equals and dot and stage and name):
        raise StudyError(
            "--set needs stage.name=value", found=text, remedy="write for example --set align.voxel_size_mm=1.5"
        )
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw.strip()  # an unquoted word is meant as text
    return stage, name, value


def _build(tables: Mapping[str, Mapping[str, Any]], path: Path | None) -> Settings:
    stages = {f.name: f for f in fields(Settings)}
    changed: dict[str, Any] = {}
    for stage, table in tables.items():
        if stage not in stages or not isinstance(table, Mapping):
            raise StudyError(
                "unknown stage in the settings", path=path, found=stage, remedy=f"use one of: {', '.join(stages)}"
            )
        default = getattr(Settings(), stage)
        hints = get_type_hints(type(default))
        for name in table:
            if name not in hints:
                raise StudyError(
                    "unknown setting",
                    path=path,
                    field=stage,
                    found=name,
                    remedy=f"use one of: {', '.join(hints) or 'none'}",
                )
        changed[stage] = dataclasses.replace(
            default,
            **{name: _coerce(value, getattr(default, name), f"{stage}.{name}", path) for name, value in table.items()},
        )
    return dataclasses.replace(Settings(), **changed)


def _coerce(value: Any, default: Any, name: str, path: Path | None) -> Any:
    """Accept a value of the default's type (an integer where a float is meant, a list where a tuple is)."""
    if isinstance(default, bool) or isinstance(value, bool):
        ok = isinstance(value, bool) and isinstance(default, bool)
    elif isinstance(default, float):
        ok = isinstance(value, int | float)
        value = float(value) if ok else value
    elif isinstance(default, tuple):
        ok = isinstance(value, list | tuple)
        value = tuple(value) if ok else value
    else:
        ok = isinstance(value, type(default))
    if not ok:
        raise StudyError(
            "wrong type of setting", path=path, field=name, found=repr(value), remedy=f"give a value like {default!r}"
        )
    return value


def settings_as_toml(settings: Settings | None = None) -> str:
    """Return settings as the text of a TOML file, each with its unit and the source of its default."""
    settings = settings or Settings()
    lines = [
        "# Settings of hlhneuro: copy, change what you need, pass with --settings FILE; the rest keeps its default."
    ]
    for stage in fields(Settings):
        table = getattr(settings, stage.name)
        lines += ["", f"[{stage.name}]"]
        for one in fields(table):
            unit = f"{one.metadata['unit']}; " if one.metadata["unit"] else ""
            lines += [f"# {unit}{one.metadata['source']}", f"{one.name} = {_toml(getattr(table, one.name))}"]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False)
