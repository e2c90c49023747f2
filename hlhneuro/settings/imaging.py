"""Settings of preparation, alignment and the template."""

from __future__ import annotations

from dataclasses import dataclass

from hlhneuro.settings._declare import tuned

__all__ = ["AlignSettings", "MatchSettings", "PrepareSettings", "TemplateSettings"]


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
