"""Run the converter spec2nii in a process of its own: it prints, warns and exits as a command does."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from hlhneuro.errors import InputError
from hlhneuro.study.mrs_files import RawSpectrum, read_raw

__all__ = ["run_spec2nii"]

_LONGEST_S = 600.0  # a raw file with all coils and transients takes well below a minute


def run_spec2nii(arguments: list[str], source: Path) -> list[RawSpectrum]:
    """Convert with one of its subcommands; return what it wrote, in the order of names.

    Parameters
    ----------
    arguments : list of str
        Subcommand and its arguments, without those that name the output.
    source : path
        The file or folder, for messages and names.

    Raises
    ------
    InputError
        If spec2nii stops or writes nothing; `found` is what it said last.

    References
    ----------
    Clarke WT et al. NIfTI-MRS: a standard data format for magnetic resonance spectroscopy. Magn Reson Med 2022;88:2358.
    """
    start = "import sys; from spec2nii.spec2nii import main; sys.exit(main())"
    with tempfile.TemporaryDirectory(prefix="hlhneuro-") as folder:
        command = [sys.executable, "-W", "ignore", "-c", start, *arguments, "-f", "spectrum", "-o", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise _failure(source, arguments, f"no answer within {_LONGEST_S:g} s") from error
        written = sorted(Path(folder).glob("*.nii.gz"))
        if done.returncode != 0 or not written:
            said = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
            last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), said[-1] if said else "")
            raise _failure(source, arguments, last or "it wrote no file")
        method = f"spec2nii {version('spec2nii')}"
        return [_named(read_raw(path), path, source, method) for path in written]


def _named(raw: RawSpectrum, written: Path, source: Path, method: str) -> RawSpectrum:
    """Tell a water reference by the name it was given: the header is not always right about it."""
    part = written.name.removesuffix(".nii.gz").removeprefix("spectrum").strip("_")
    water = True if "ref" in part.lower() else raw.water
    name = f"{source.name} ({part})" if part else source.name
    return replace(raw, name=name, water=water, notes=(*raw.notes, f"converted by {method}"))


def _failure(source: Path, arguments: list[str], found: str) -> InputError:
    return InputError(
        f"spec2nii {version('spec2nii')} could not convert it as {arguments[0]!r}",
        path=source,
        found=found,
        remedy="export the spectrum from the scanner in another format (DICOM, rda, SDAT/SPAR, P-file), or convert it "
        "to NIfTI-MRS and import that",
    )
