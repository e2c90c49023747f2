"""Settings of lesion masks, change, signs and volumes."""

from __future__ import annotations

from dataclasses import dataclass

from hlhneuro.settings._declare import tuned

__all__ = ["ChangeSettings", "LesionSettings", "SignSettings", "VolumeSettings"]


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
    suspect_sd: float = tuned(
        2.5, "expert-set: one normal voxel in 160 lies beyond; it takes no part in a null and may be lesion", "SD"
    )
    prior_bins: int = tuned(8, "expert-set: finer than the error of a template prior")
    prior_bin_voxels: int = tuned(1000, "expert-set: centre and scale known to a twentieth of the scale", "voxels")
    false_discovery: float = tuned(
        0.01,
        "known lesions: of .05, .01 and .002, .01 leaves one false lesion in six sessions for five, and finds 75 of 94 "
        "for 77; of known changes 66 of 100 for 73 (Benjamini & Hochberg 1995)",
    )
    local_fdr: float = tuned(0.5, "Efron 2004: as likely lesion as normal tissue")
    candidate_sd: float = tuned(2.0, "convention: a difference beyond 95 % of normal tissue; noise falls apart", "SD")
    null_tail: float = tuned(0.33, "expert-set: enough to learn from, most of it far from a lesion's height")
    null_candidates: int = tuned(10, "expert-set: fewer do not make a tail")
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
