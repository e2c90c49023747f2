from .basis import Basis, add_broad_signals, check_basis_fits, simulate_basis
from .basis_files import read_basis, write_basis, write_basis_folder
from .comparison import acquired_alike, comparable, mirrored
from .confounders import confounders_of
from .detection import Evidence, JointEvidence, detect, joint_evidence
from .fitting import SpectrumFit, fit_spectrum
from .mrsi import SpectrumGrid, load_mrsi
from .mrsi_anatomy import (
    GridContent,
    GridResult,
    content_of_grid,
    lay_on_anatomy,
    regions_of,
    voxels_on_anatomy,
)
from .mrsi_fit import GridFit, VoxelState, fit_mrsi
from .mrsinmrs import mrsinmrs_table
from .norms import NoNorm, Norm, Norms, region_of
from .patterns import Circumstances, assess_spectra, spectrum_findings
from .preprocessing import preprocess
from .quantification import TissueFractions, WaterScale, water_scale
from .results import SpectrumResult
from .spectra import Spectrum, load_spectrum
from .voxel import VoxelComposition, mirror_overlap, overlap, place_voxel

__all__ = [
    "Basis",
    "Circumstances",
    "Evidence",
    "GridContent",
    "GridFit",
    "GridResult",
    "JointEvidence",
    "NoNorm",
    "Norm",
    "Norms",
    "Spectrum",
    "SpectrumFit",
    "SpectrumGrid",
    "SpectrumResult",
    "TissueFractions",
    "VoxelComposition",
    "VoxelState",
    "WaterScale",
    "acquired_alike",
    "add_broad_signals",
    "assess_spectra",
    "check_basis_fits",
    "comparable",
    "confounders_of",
    "content_of_grid",
    "detect",
    "fit_mrsi",
    "fit_spectrum",
    "joint_evidence",
    "lay_on_anatomy",
    "load_mrsi",
    "load_spectrum",
    "mirror_overlap",
    "mirrored",
    "mrsinmrs_table",
    "overlap",
    "place_voxel",
    "preprocess",
    "read_basis",
    "region_of",
    "regions_of",
    "simulate_basis",
    "spectrum_findings",
    "voxels_on_anatomy",
    "water_scale",
    "write_basis",
    "write_basis_folder",
]
