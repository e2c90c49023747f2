"""Every command and option of `hlhneuro`, and what each means."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import hlhneuro

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["build_parser"]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command; what it parses has the name of the verb in ``command``."""
    parser = argparse.ArgumentParser(
        prog="hlhneuro",
        description="Follow HLH in the brain over serial MRI and MR spectroscopy. Research software, not a diagnosis.",
    )
    parser.add_argument("--version", action="version", version=f"hlhneuro {hlhneuro.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_demo, _add_check, _add_run, _add_fit, _add_basis, _add_import, _add_phantom, _add_recover):
        add(commands)
    return parser


def _common() -> argparse.ArgumentParser:
    """Return the options of all commands."""
    common = argparse.ArgumentParser(add_help=False)
    loud = common.add_mutually_exclusive_group()
    loud.add_argument("-v", "--verbose", action="count", default=0, help="say more; twice for debugging")
    loud.add_argument("-q", "--quiet", dest="verbose", action="store_const", const=-1, help="say errors only")
    return common


def _tuning() -> argparse.ArgumentParser:
    """Return the options that change settings."""
    tuning = argparse.ArgumentParser(add_help=False)
    tuning.add_argument("--settings", type=Path, metavar="FILE", help="TOML file with one table per stage")
    tuning.add_argument("--set", action="append", default=[], metavar="STAGE.NAME=VALUE", help="change one setting")
    return tuning


def _facts() -> argparse.ArgumentParser:
    """Return the options that say what the file of a spectrum does not."""
    said = argparse.ArgumentParser(add_help=False)
    facts = said.add_argument_group("what the file of a spectrum does not say")
    facts.add_argument("--sequence", help="press, steam, slaser ..")
    facts.add_argument("--echo-time-s", type=float, metavar="S", help="echo time in seconds")
    facts.add_argument("--repetition-time-s", type=float, metavar="S", help="repetition time in seconds")
    facts.add_argument("--dwell-time-s", type=float, metavar="S", help="seconds between two samples (text formats)")
    facts.add_argument("--spectrometer-frequency-mhz", type=float, metavar="MHZ", help="as 123.2 (text formats)")
    facts.add_argument("--nucleus", help="1H (text formats)")
    facts.add_argument("--conjugate", action="store_true", help="turn the sign of frequency")
    return said


def _add_demo(commands: _Commands) -> None:
    demo = commands.add_parser("demo", parents=[_common()], help="run everything on the sample study")
    demo.add_argument("out", nargs="?", type=Path, default=Path("demo"), help="folder to write to (default: demo)")
    demo.add_argument("--study", type=Path, help="the sample study; written if missing (default: OUT/study)")
    demo.add_argument("--jobs", type=int, default=2, help="processors to use (default: 2)")
    demo.set_defaults(command="demo")


def _add_check(commands: _Commands) -> None:
    check = commands.add_parser("check", parents=[_common()], help="what is there, what is missing, what follows")
    check.add_argument("study", type=Path)
    check.add_argument("--derivatives", nargs="+", default=[], type=Path, metavar="DIR", help="folders with your masks")
    check.set_defaults(command="check")


def _add_run(commands: _Commands) -> None:
    run = commands.add_parser("run", parents=[_common(), _tuning()], help="a study folder in, a report per patient out")
    run.add_argument("study", type=Path)
    run.add_argument("out", type=Path)
    run.add_argument("level", choices=("participant", "group"))
    run.add_argument("--participant-label", nargs="+", default=[], metavar="L", help="only these subjects")
    run.add_argument("--session-label", nargs="+", default=[], metavar="L", help="only these sessions")
    run.add_argument(
        "--derivatives", nargs="+", default=[], type=Path, metavar="DIR",
        help="folders with your own masks: *_desc-brain_mask.nii.gz, *_label-lesion_mask.nii.gz",
    )  # fmt: skip
    run.add_argument("--jobs", type=int, default=1, help="processors to use (default: 1); results do not depend on it")
    run.add_argument("--reports-only", action="store_true", help="reports again, from OUT alone; STUDY may be gone")
    run.add_argument("--keep-going", action="store_true", help="start further subjects after a fault of the program")
    run.add_argument(
        "--skip-bids-validation", action="store_true", help="accepted for the BIDS-App contract; no validator is run"
    )
    run.add_argument("--dry-run", action="store_true", help="say what would be run, write nothing")
    run.set_defaults(command="run")


def _add_fit(commands: _Commands) -> None:
    fit = commands.add_parser("fit", parents=[_common(), _tuning(), _facts()], help="fit one spectrum")
    fit.add_argument("svs", type=Path, help="NIfTI-MRS, or as the scanner wrote it")
    fit.add_argument("--out", type=Path, required=True, help="folder to write to")
    fit.add_argument("--water", type=Path, metavar="REF", help="water reference of the same voxel")
    fit.add_argument(
        "--eddy-reference", type=Path, metavar="REF", help="water reference for eddy currents, where it is another one"
    )
    fit.add_argument(
        "--basis",
        type=Path,
        metavar="FILE|DIR",
        help="basis set; simulated if left out",
    )
    fit.add_argument("--tissue", type=_fractions, metavar="GM,WM,CSF", help="tissue fractions of the voxel")
    fit.set_defaults(command="fit")


def _add_basis(commands: _Commands) -> None:
    basis = commands.add_parser("basis", parents=[_common(), _tuning()], help="simulate a basis set")
    basis.add_argument("--sequence", required=True, help="press, steam, slaser, laser, spin-echo or pulse-acquire")
    basis.add_argument("--echo-time-s", type=float, required=True, help="echo time in seconds")
    field = basis.add_mutually_exclusive_group(required=True)
    field.add_argument("--field-t", type=float, help="field in tesla; many scanners of 3 T have 2.89")
    field.add_argument("--frequency-mhz", type=float, help="or proton frequency in MHz, as the spectrum says it")
    basis.add_argument(
        "--out", type=Path, required=True, metavar="FILE|DIR",
        help="FILE.BASIS for LCModel, or a new folder of the form that --form says",
    )  # fmt: skip
    basis.add_argument(
        "--form", choices=("fsl", "raw", "nifti-mrs"), default="fsl",
        help="what a folder holds: FSL-MRS (default), LCModel .RAW or NIfTI-MRS, a file per metabolite",
    )  # fmt: skip
    basis.add_argument("--first-echo-s", type=float, help="TE1 of PRESS in seconds")
    basis.add_argument("--mixing-time-s", type=float, help="TM of STEAM in seconds")
    basis.add_argument(
        "--pulse-bandwidth-hz",
        type=float,
        help="bandwidth of the refocusing pulses (default: spectra.refocusing_bandwidth_hz)",
    )
    basis.add_argument("--points", type=int, help="samples of each FID (default: a second)")
    basis.add_argument("--dwell-time-s", type=float, help="time between samples in seconds (default: 1/4000)")
    basis.add_argument("--metabolites", nargs="+", metavar="NAME", help="only these (default: those of a brain at 3 T)")
    basis.set_defaults(command="basis")


def _add_import(commands: _Commands) -> None:
    bring = commands.add_parser(
        "import", parents=[_common(), _facts()], help="DICOM images and spectra of any scanner into a study"
    )
    bring.add_argument("source", type=Path, help="folder with DICOM files and spectra, or the file of one spectrum")
    bring.add_argument("study", type=Path, help="BIDS folder; made if it is not there")
    bring.add_argument("--subject", required=True, metavar="S", help="label of the patient, such as 01")
    bring.add_argument("--session", required=True, metavar="T", help="label of the visit, such as 01")
    bring.add_argument(
        "--contrast", nargs="+", action="extend", default=[], type=_contrast_of_series, metavar="SERIES=CONTRAST",
        help="what a series is, by its number or description: 7=FLAIR, 9=ce-gadolinium_T1w, 12=skip",
    )  # fmt: skip
    bring.add_argument(
        "--water", nargs="+", action="extend", default=[], type=_water_reference, metavar="NAME[=ecc]",
        help="files or series that are water references, where nothing else says so; =ecc: for eddy currents only",
    )  # fmt: skip
    bring.add_argument("--acq", metavar="LABEL", help="acq- label for the names of this import")
    bring.add_argument("--voi", metavar="LABEL", help="voi- label for spectra: where the voxel lies")
    bring.add_argument("--overwrite", action="store_true", help="replace files that are there with other content")
    bring.set_defaults(command="import")


def _add_phantom(commands: _Commands) -> None:
    phantom = commands.add_parser("phantom", parents=[_common()], help="write a study whose truth is known")
    phantom.add_argument("study", type=Path)
    phantom.add_argument("--subjects", type=int, default=2)
    phantom.add_argument("--sessions", type=int, default=2)
    phantom.add_argument("--seed", type=int, default=1)
    phantom.set_defaults(command="phantom")


def _contrast_of_series(text: str) -> tuple[str, str]:
    """Parse ``SERIES=CONTRAST``."""
    series, equals, contrast = text.rpartition("=")
    if not (series and equals and contrast):
        raise argparse.ArgumentTypeError("give SERIES=CONTRAST, such as 7=FLAIR")
    return series, contrast


def _water_reference(text: str) -> tuple[str, str]:
    """Parse ``NAME`` or ``NAME=ecc``."""
    name, use = (text.removesuffix("=ecc"), "ecc") if text.endswith("=ecc") else (text, "")
    if not name:
        raise argparse.ArgumentTypeError("give the name of a file or series, such as a_ref.SDAT or 7=ecc")
    return name, use


def _fractions(text: str) -> tuple[float, float, float]:
    """Parse ``gm,wm,csf``."""
    try:
        gm, wm, csf = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError("give three numbers: grey matter, white matter, CSF") from error
    if min(gm, wm, csf) < 0 or abs(gm + wm + csf - 1) > 0.02:
        raise argparse.ArgumentTypeError("fractions must not be negative and must sum to 1")
    return gm, wm, csf


def _add_recover(commands: _Commands) -> None:
    recover = commands.add_parser(
        "recover", parents=[_common(), _tuning()], help="put known lesions into your own images, see what comes back"
    )
    recover.add_argument("study", type=Path)
    recover.add_argument("out", type=Path, help="folder to write to: both runs, the copy with lesions, recovery.tsv")
    recover.add_argument("--participant-label", nargs="+", default=[], metavar="L", help="only these subjects")
    recover.add_argument("--jobs", type=int, default=1, help="processors to use (default: 1)")
    recover.set_defaults(command="recover")
