"""Settings of spectra and of the patterns in them."""

from __future__ import annotations

from dataclasses import dataclass

from hlhneuro.settings._declare import tuned

__all__ = ["PatternSettings", "SpectraSettings"]


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
    refocusing_bandwidth_hz: float = tuned(
        0.0,
        "0 for unlimited, as few protocols say it; give the scanner's: 1.2 kHz takes over half of lactate at TE 144 ms "
        "and 3 T (Lange 2006, AJNR 27:895)",
        "Hz",
    )
    basis_dwell_time_s: float = tuned(2.5e-4, "expert-set: 4 kHz, four times what a brain spectrum fills at 3 T", "s")
    basis_points: int = tuned(4096, "expert-set: lasts a second, longer than any line of a brain spectrum")
    basis_field_tolerance: float = tuned(0.01, "expert-set: shifts keep their ppm, couplings are off by 1 % at most")
    basis_echo_time_tolerance_s: float = tuned(0.001, "expert-set: coupled signals turn by J*TE, below 1 %", "s")
    basis_shortest_s: float = tuned(
        0.4, "expert-set: a line of 3 Hz, the narrowest in a brain, has then decayed to 2 %", "s"
    )
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
        (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 7.0),
        "range of ABfit (Wilson 2021, Magn Reson Med 85:13) and stiffer down to a line, which simulated spectra of low "
        "signal-to-noise ratio need; 0.25 was added after seeing the 2016 fitting challenge",
        "1/ppm",
    )
    baseline_aic_factor: float = tuned(5.0, "ABfit: Wilson 2021, Magn Reson Med 85:13")
    macromolecules_until_echo_time_s: float = tuned(0.1, "expert-set: T2 of macromolecules at 3 T is 13 to 40 ms", "s")
    detection_sd: float = tuned(3.0, "expert-set: three standard deviations above zero, relative bound 33 %")
    detection_metabolites: tuple[str, ...] = tuned(
        ("Lac",), "expert-set: whose presence changes the pattern, tested by their likelihood ratio"
    )
    detection_iterations: int = tuned(8, "expert-set: the fit without a metabolite starts near its end")
    lipid_shape_error: float = tuned(
        0.01, "expert-set: part of a lipid signal that its fitted shape misses; 0.005 with lines of the phantom"
    )
    amino_acid_echo_s: float = tuned(
        0.13, "Grand 1999, Radiology 213:785: amino acids at 0.9 ppm are told by their inversion at TE 136 ms", "s"
    )
    ratio_priors: str = tuned(
        "none",
        'expert-set: or "healthy brain", soft constraints on weak metabolites, lipid and macromolecules '
        "(ratio_priors.toml), which come from normal brains and may hide disease",
    )
    most_iterations: int = tuned(30, "expert-set: measured need is 5 to 15")
    coil_points: int = tuned(256, "expert-set: the start of the FID, where signal is strong")
    noise_beyond_ppm: float = tuned(5.0, "expert-set: no proton of tissue resonates as far from water", "ppm")
    registration_window_s: float = tuned(0.2, "Near 2015, Magn Reson Med 73:44: leading part of the FID", "s")
    outlier_sd: float = tuned(5.0, "expert-set: robust standard deviations beyond which a transient is left out")
    outlier_part: float = tuned(0.25, "expert-set: a difference below this part of the signal spoils no mean")
    outlier_fewest: int = tuned(4, "expert-set: of three transients nobody can say which is wrong")
    water_band_ppm: float = tuned(1.2, "expert-set: half of the band in which water is modelled; of 0.8 to 1.6", "ppm")
    water_half_width_ppm: float = tuned(0.35, "expert-set: what counts as water, 4.3 to 5.0 ppm", "ppm")
    water_search_ppm: float = tuned(0.55, "expert-set: residual water lies within 4.1 to 5.2 ppm", "ppm")
    water_free_ppm: float = tuned(3.5, "expert-set: below it no tail of residual water is as tall as NAA", "ppm")
    water_worth_removing: float = tuned(1.0, "expert-set: height over the tallest metabolite; Cr at 3.9 ppm is lower")
    water_components: tuple[int, ...] = tuned(
        (16, 12, 20), "expert-set: damped sinusoids in the band, tried in turn; best of 8 to 30 on made spectra"
    )
    water_widest_ppm: tuple[float, ...] = tuned(
        (0.35, 1.0), "expert-set: broader sinusoids are tails of something else, unless water is left", "ppm"
    )
    water_lowest_ppm: float = tuned(
        4.1, "expert-set: above inositol at 4.05; lower, half of it goes with water at 4.2 to 4.4 ppm", "ppm"
    )
    water_core_ppm: float = tuned(
        0.1, "expert-set: half of what a line of water fills; to this depth it may lie on inositol and still go", "ppm"
    )
    water_clear_ppm: float = tuned(
        4.55, "expert-set: on made spectra water that lay below leaves inositol off by up to 70 %", "ppm"
    )
    fit_high_beside_water_ppm: float = tuned(
        4.0, "expert-set: below inositol at 4.05, which goes with such water; mI is then off by 3 to 20 %", "ppm"
    )
    water_least_ratio: float = tuned(
        20.0,
        "expert-set: a reference's water over the tallest metabolite; healthy brain has some 1000 at TE 30 ms and 80 "
        "at 288 ms, lipid twenty times tCr leaves 230; at 20 a CH3 group would be a mole per kg",
    )
    water_echo_time_tolerance: float = tuned(0.05, "expert-set: part by which echo times may differ")
    water_voxel_tolerance: float = tuned(0.1, "expert-set: part of the voxel's shortest edge it may be off")
    eddy_noise_sd: float = tuned(8.0, "expert-set: noise then turns the phase by 5 degrees")
    eddy_lowest_part: float = tuned(0.005, "expert-set: weaker water may be a beat with another signal")
    lineshape_decays_s: tuple[float, ...] = tuned(
        (0.01, 0.03, 0.1, 0.3), "expert-set: time constants of eddy currents that outlast the pulses", "s"
    )
    lineshape_sd_rad: float = tuned(3.0, "expert-set: 10 Hz that decay with 50 ms turn the phase by as much", "rad")
    lineshape_residual_ratio: float = tuned(
        1.1, "expert-set: residual over noise from which on a phase shared by all lines is looked for"
    )
    lineshape_gain: float = tuned(
        50.0, "expert-set: chi-square with four degrees of freedom is above 24 once in ten thousand; twice that"
    )
    lineshape_part: float = tuned(
        0.2, "expert-set: part of what the fit leaves; signals that the basis lacks give below 0.17, eddy currents more"
    )
    water_window_s: float = tuned(0.02, "expert-set: where the water signal is extrapolated to time zero from", "s")
    clipped_samples: int = tuned(
        3, "expert-set: equal greatest values in a row; the longest run in 66 sound files of all makers is 1"
    )
    conjugate_energy_ratio: float = tuned(4.0, "expert-set: mirrored over expected metabolite energy")
    concentration_unit: str = tuned("mmol/kg", "Gasparovic 2006, Magn Reson Med 55:1219 (molal); or mM (molar)")
    relaxation_field_tolerance: float = tuned(0.07, "expert-set: 2.89 T counts as 3 T")
    lesion_fraction_note: float = tuned(0.1, "expert-set: lesion part of the voxel above which a note is given")
    voxel_placement_sd_mm: float = tuned(
        1.0, "expert-set: the head moves between the images and the end of the spectrum, along each edge", "mm"
    )
    tissue_sd: float = tuned(0.05, "expert-set: uncertainty of tissue fractions that come without one")
    assumed_tissue_sd: tuple[float, ...] = tuned(
        (0.25, 0.1, 0.0), "expert-set: of grey matter, CSF and lesion where tissue is assumed: anything within a half"
    )
    most_csf: float = tuned(0.9, "expert-set: with more CSF in the voxel there is no tissue to refer to")
    creatine_plausible: tuple[float, ...] = tuned(
        (2.0, 20.0),
        "expert-set: a third of what newborns have to twice an adult cerebellum; beyond, the reference is in doubt",
        "mmol/kg",
    )
    worst_scale_sd: float = tuned(0.3, "expert-set: with a scale less certain only ratios are given")
    immature_years: float = tuned(
        2.0, "Kreis 1993, Magn Reson Med 30:424: water content falls in the first two years", "years"
    )
    immature_scale_sd: float = tuned(
        0.2, "expert-set after Kreis 1993, Magn Reson Med 30:424: newborns' tissue is nearly nine tenths water"
    )
    lipid_ratio_note: float = tuned(0.5, "expert-set: lipid at 1.3 ppm over tCr above which a note is given")
    good_snr: float = tuned(10.0, "expert-set: peak over two noise standard deviations")
    worst_snr: float = tuned(3.0, "expert-set: below it no metabolite but the largest can be told from noise")
    good_linewidth_ppm: float = tuned(0.07, "Kreis 2004, NMR Biomed 17:361, from memory: lower rejection limit", "ppm")
    worst_linewidth_ppm: float = tuned(0.1, "Kreis 2004, NMR Biomed 17:361, from memory: upper rejection limit", "ppm")
    good_residual: float = tuned(0.15, "expert-set: unexplained part of the signal, root mean square")
    worst_residual: float = tuned(0.5, "expert-set: half of the signal is something else")
    mrsi_reach_voxels: float = tuned(
        1.0, "expert-set: start values are looked for with the nearest neighbours", "voxel"
    )
    mrsi_water_apart_mm: float = tuned(
        1.0, "expert-set: corners of grid and water reference; rounding of headers", "mm"
    )
    mrsi_bound_part: float = tuned(
        0.3, "expert-set: bound over the median of the grid (not of the voxel: Kreis 2016, Magn Reson Med 75:15)"
    )
    mrsi_bound_part_tcr: float = tuned(
        0.1, "expert-set: bound over the median of tCr that is small for any metabolite; half of the ratio of lactate"
    )
    mrsi_brain_part: float = tuned(0.5, "expert-set: part of a grid voxel in the brain from which on it is fitted")
    mrsi_lesion_part: float = tuned(0.5, "expert-set: part of a grid voxel in a lesion that makes it a lesion voxel")
    mrsi_normal_part: float = tuned(0.05, "expert-set: normal-appearing voxels hold at most this part of lesion")
    mrsi_maps: tuple[str, ...] = tuned(
        ("tNAA", "tCho", "mI", "Glx", "Lac", "Lip13"), "expert-set: ratios to tCr that are laid on the anatomy"
    )


@dataclass(frozen=True)
class PatternSettings:
    """Rules that name a spectral pattern (`hlhneuro.spectroscopy.patterns`)."""

    lactate_ratio: float = tuned(0.22, "Lunsing 2017, Eur Radiol: Lac/Cr above 0.22 is abnormal; not validated in HLH")
    lipid_ratio: float = tuned(
        1.0, "expert-set, not validated in HLH: lipid at 1.3 ppm over tCr; less cannot be told from macromolecules"
    )
    lipid_echo_s: float = tuned(0.1, "expert-set: lipids have a T2 of some 60 ms", "s")
    reduced_ratio: float = tuned(0.8, "expert-set, not validated in HLH: part of the reference")
    raised_ratio: float = tuned(1.2, "expert-set, not validated in HLH: part of the reference")
    choline_naa_ratio: float = tuned(
        2.0, "expert-set, not validated in HLH: Cho/NAA over that of the reference; not specific (Saindane 2002)"
    )
    level_sd: float = tuned(
        2.5, "expert-set: several levels are judged in each spectrum, on phantoms 2 were too few", "sd"
    )
    level_absent_sd: float = tuned(1.5, "expert-set: what matters would have been seen at so many", "sd")
    visit_sd: float = tuned(0.06, "expert-set: repeated spectra of unchanged tissue vary by 3 to 10 %")
    course_change: float = tuned(0.15, "expert-set: change from one session to the next that counts")
    all_low_ratio: float = tuned(
        0.6, "expert-set, not validated in HLH: NAA, Cr and Cho each; direction after Kamada 1997, Bizzi 2001"
    )
    mirror_suffixes: tuple[str, ...] = tuned(
        ("mirror", "contra"), "expert-set: ends of the voi label of a mirror voxel"
    )
    mirror_lesion_fraction: float = tuned(0.05, "expert-set: a mirror voxel has to be free of lesion")
    mirror_overlap_least: float = tuned(
        0.5, "expert-set: Dice overlap of a voxel with the mirror image of its mirror voxel; set by hand, on a lesion"
    )
    echo_time_match_s: float = tuned(0.002, "expert-set: spectra to be compared have the same echo time", "s")
    field_match: float = tuned(0.07, "expert-set: 2.89 T counts as 3 T")
    overlap_least: float = tuned(
        0.7, "expert-set: Dice overlap of voxels to be compared over time; a 20 mm cube that is shifted by 6 mm"
    )
    norm_controls: str = tuned("", "expert-set: path of a table of healthy controls (docs/norms.md); empty: none")
    norm_echo_time_s: float = tuned(0.006, "expert-set: TE 30 ms and TE 35 ms may share norms", "s")
    norm_step: float = tuned(
        1.5, "expert-set: how many times as old, from conception, the next group may be for interpolation"
    )
    norm_reach: float = tuned(1.1, "expert-set: how many times as old or as young as a group a patient may be")
    norm_gaps_years: tuple[float, ...] = tuned(
        (2.0, 5.0, 15.0, 18.0),
        "Gudmundson 2023, Anal Biochem 676:115227: no groups of healthy people from 2 to 5 and from 15 to 18 years",
        "years",
    )
    norm_region_least: float = tuned(0.5, "expert-set: part of a voxel that makes it one of a region")
    lactate_sd: float = tuned(3.0, "expert-set: chance of 0.13 % in a spectrum without lactate", "sd")
    lactate_long_sd: float = tuned(2.0, "expert-set: evidence that the long echo time alone has to give", "sd")
    lactate_misfit_sd: float = tuned(4.0, "expert-set: beyond it echo times share no amount of lactate", "sd")
    lactate_relaxation_per_s: float = tuned(
        3.5,
        "1/T2 of lactate against its reference: T2 0.12 to 0.30 s (Madan 2015, Wyss 2018) against 0.16 to 0.21 s",
        "1/s",
    )
    cancellation_left: float = tuned(
        0.14,
        "simulated: refocusing pulses of 0.8 kHz at 3 T (test_bench_basis.py); J Magn Reson 2001;152:203 says 0.22",
    )
    inverted_echo_low_s: float = tuned(0.13, "1/J of lactate is 144 ms (J 6.93 Hz): Govindaraju 2000", "s")
    inverted_echo_high_s: float = tuned(0.16, "1/J of lactate is 144 ms (J 6.93 Hz): Govindaraju 2000", "s")
    cancellation_field_t: float = tuned(2.5, "Lange 2006, AJNR 27:895: shown at 3 T", "T")
