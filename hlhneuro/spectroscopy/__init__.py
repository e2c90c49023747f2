"""From raw FIDs to a named pattern."""

from hlhneuro.spectroscopy.basis import Basis, add_broad_signals, check_basis_fits, simulate_basis
from hlhneuro.spectroscopy.basis_files import read_basis, write_basis
from hlhneuro.spectroscopy.comparison import acquired_alike, comparable
from hlhneuro.spectroscopy.fitting import SpectrumFit, fit_spectrum
from hlhneuro.spectroscopy.patterns import assess_spectra, spectrum_findings
from hlhneuro.spectroscopy.preprocessing import preprocess
from hlhneuro.spectroscopy.quantification import TissueFractions, WaterScale, water_scale
from hlhneuro.spectroscopy.results import SpectrumResult
from hlhneuro.spectroscopy.spectra import Spectrum, load_spectrum
from hlhneuro.spectroscopy.voxel import VoxelComposition, overlap, place_voxel

__all__ = [
    "Basis",
    "Spectrum",
    "SpectrumFit",
    "SpectrumResult",
    "TissueFractions",
    "VoxelComposition",
    "WaterScale",
    "acquired_alike",
    "add_broad_signals",
    "assess_spectra",
    "check_basis_fits",
    "comparable",
    "fit_spectrum",
    "load_spectrum",
    "overlap",
    "place_voxel",
    "preprocess",
    "read_basis",
    "simulate_basis",
    "spectrum_findings",
    "water_scale",
    "write_basis",
]
