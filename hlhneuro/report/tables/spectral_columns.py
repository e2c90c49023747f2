"""Columns of the tables of spectra and of spectroscopic grids: unit and meaning of each."""

from __future__ import annotations

__all__ = ["FIT_COLUMNS", "GRID_COLUMNS", "GRID_VOXEL_COLUMNS", "MRSINMRS_COLUMNS", "QC_COLUMNS"]

Column = tuple[str, str]

FIT_COLUMNS: dict[str, Column] = {
    "metabolite": ("", "Basis function, or a sum of several (tNAA, tCr, tCho, Glx, lipid and macromolecule groups)"),
    "concentration": ("", "Fitted concentration, in the unit that the column 'unit' names"),
    "unit": ("", "Unit of concentration and sd"),
    "sd": ("", "Standard uncertainty of the concentration, of the fit and of its scale, in the same unit"),
    "crlb_percent": ("%", "Cramer-Rao lower bound of the fit relative to the concentration"),
    "ratio_to_tcr": ("", "Concentration divided by that of total creatine"),
    "ratio_sd": ("", "Standard uncertainty of the ratio"),
    "detected": ("", "Whether the signal stands out of its uncertainty"),
    "scale_sd": ("", "The part of sd that comes from the water reference: tissue fractions, relaxation, water content"),
}
QC_COLUMNS: dict[str, Column] = {
    "snr": ("", "Height of the largest metabolite peak over twice the standard deviation of the noise"),
    "linewidth_hz": ("Hz", "Full width at half maximum"),
    "linewidth_ppm": ("ppm", "Full width at half maximum"),
    "shift_ppm": ("ppm", "Shift of the spectrum that the fit found"),
    "phase0_deg": ("degree", "Zero-order phase that the fit found"),
    "residual_ratio": ("", "Standard deviation of the residual over that of the noise; 1 is a perfect fit"),
    "fit_seconds": ("s", "Wall time of the fit"),
    "verdict": ("", "good, usable or not usable"),
    "reasons": ("", "What the verdict rests on"),
    "rejected_transients": ("", "Transients left out of the mean; empty where the data came averaged"),
}
MRSINMRS_COLUMNS: dict[str, Column] = {
    "section": ("", "hardware, acquisition, analysis or quality"),
    "item": ("", "What a report of a spectrum has to state (Lin 2021, NMR Biomed 34:e4484)"),
    "value": ("", "What the data and the fit say; or: not stated in the data"),
}
GRID_COLUMNS: dict[str, Column] = {
    "grid": ("", "Entities of the spectroscopic grid"),
    "echo_time_s": ("s", "Echo time"),
    "sequence": ("", "Localisation sequence"),
    "region": ("", "lesion or normal_appearing: voxels that are mostly lesion, or hold next to none"),
    "metabolite": ("", "Basis function, or a sum of several"),
    "ratio_to_tcr": ("", "Mean ratio to total creatine over the voxels of the region that can be trusted"),
    "ratio_sd": ("", "Standard uncertainty of the mean, from the Cramer-Rao bounds of its voxels"),
    "spread": ("", "Standard deviation of the ratio between the voxels"),
    "voxels": ("", "Count of voxels in the mean"),
    "reason": ("", "Why there is no mean"),
}
GRID_VOXEL_COLUMNS: dict[str, Column] = {
    **{axis: ("", f"Index of the voxel along the {place} axis of the grid, from zero") for axis, place in
       (("i", "first"), ("j", "second"), ("k", "third"))},
    "x_mm": ("mm", "Centre in scanner space, positive to the patient's right"),
    "y_mm": ("mm", "Centre in scanner space, positive to the front"),
    "z_mm": ("mm", "Centre in scanner space, positive upwards"),
    "verdict": ("", "good, usable, not usable, empty (no signal), outside (of the brain: not fitted) or failed"),
    "reason": ("", "What the verdict rests on"),
    "snr": ("", "Height of the largest metabolite peak over twice the standard deviation of the noise"),
    "linewidth_hz": ("Hz", "Full width at half maximum"),
    "shift_hz": ("Hz", "Offset towards higher ppm that the fit found"),
    "residual_ratio": ("", "Standard deviation of the residual over that of the noise; 1 is a perfect fit"),
    "voxel_brain": ("", "Fraction of the voxel in the brain"),
    "voxel_gm": ("", "Fraction of grey matter in the voxel"),
    "voxel_wm": ("", "Fraction of white matter in the voxel"),
    "voxel_csf": ("", "Fraction of cerebrospinal fluid in the voxel"),
    "voxel_lesion": ("", "Fraction of lesion in the voxel"),
}  # fmt: skip
