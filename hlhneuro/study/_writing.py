"""Result files: written whole or not at all, each with a sidecar that says where it comes from."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hlhneuro.errors import StudyError
from hlhneuro.study._names import sidecar_path
from hlhneuro.study._plain import plain
from hlhneuro.study._provenance import Provenance, content_sha256, file_sha256
from hlhneuro.study._tables import MISSING, read_cells

__all__ = ["read_table", "write_dataset_description", "write_image", "write_json", "write_table", "write_text"]

# The nibabel default; masks shrink as well as at higher levels, float images gain 2 % for four times the time.
_GZIP_LEVEL = 1
_NUMBER = re.compile(r"[+-]?(inf|(0|[1-9]\d*)(\.\d*)?(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?)", re.IGNORECASE | re.ASCII)
_NOT_BIDS = ("*.html", "*.svg", "*_findings.json", "*_xfm.*", "*.tsv", "group/", "logs/", "status.tsv")


def write_image(
    path: str | Path, data: ArrayLike, affine: ArrayLike, provenance: Provenance, description: str = ""
) -> Path:
    """Write a NIfTI image in the data type of `data` (truth values as uint8), the same bytes for the same input.

    Parameters
    ----------
    path : path
        Ends in ``.nii`` or ``.nii.gz``.
    data : array, shape (x, y, z) or (x, y, z, n)
    affine : array, shape (4, 4)
        Voxel index to RAS+ millimetres.
    provenance : Provenance
    description : str
        One sentence for the sidecar.

    Raises
    ------
    ValueError
        If the data type has no NIfTI counterpart or the extension is not NIfTI.
    StudyError
        If the file cannot be written.
    """
    path, array = Path(path), np.asarray(data)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise ValueError(f"{path.name}: an image ends in .nii or .nii.gz")
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype in (np.int64, np.uint64):
        small = array.astype(np.int32)
        if not np.array_equal(small, array):
            raise ValueError(f"{path.name}: values beyond 32-bit integers")
        array = small
    image: Any = nib.Nifti1Image(  # type: ignore[no-untyped-call]
        array, np.asarray(affine, dtype=float), dtype=array.dtype
    )
    image.header.set_xyzt_units("mm")
    with _whole_file(path) as stream:
        if path.name.endswith(".gz"):
            with gzip.GzipFile("", "wb", _GZIP_LEVEL, cast("Any", stream), mtime=0) as packed:
                image.to_stream(packed)
        else:
            image.to_stream(stream)
    _write_sidecar(path, provenance, {"Description": description} if description else {})
    return path


def write_table(
    path: str | Path, frame: pd.DataFrame, columns: Mapping[str, tuple[str, str]], provenance: Provenance
) -> Path:
    """Write a tab-separated table and the sidecar that explains its columns.

    Missing values and empty texts are written ``n/a``; numbers with as many digits as give back the same number; tabs
    and line breaks inside a text become spaces, because the format has no way to hold them.

    Parameters
    ----------
    path : path
        Ends in ``.tsv``.
    frame : DataFrame
        The index is not written.
    columns : mapping
        Column name to (unit, meaning); an empty unit for counts, ratios and texts.

    Raises
    ------
    ValueError
        If a column is not described.
    StudyError
        If the file cannot be written.
    """
    path = Path(path)
    names = [str(name) for name in frame.columns]
    if undescribed := [name for name in names if not columns.get(name, ("", ""))[1]]:
        raise ValueError(f"{path.name}: columns without a meaning: {undescribed}")
    if len(set(names)) != len(names) or any(name != _cell(name) for name in names):
        raise ValueError(f"{path.name}: column names must differ and hold no tab or line break")
    cells = [[_cell(value) for value in frame.iloc[:, i]] for i in range(len(names))]
    lines = ["\t".join(names), *("\t".join(row) for row in zip(*cells, strict=True))]
    explained: dict[str, Any] = {}
    for i, name in enumerate(names):
        unit, meaning = columns[name]
        explained[name] = {"Description": meaning, "Format": _format(frame.iloc[:, i])}
        if unit:
            explained[name]["Units"] = unit
    if clash := set(explained) & (set(provenance.to_dict()) | {"SHA256", "Description"}):
        raise ValueError(f"{path.name}: column names that the sidecar uses itself: {sorted(clash)}")
    write_text(path, "\n".join(lines) + "\n")
    _write_sidecar(path, provenance, explained)
    return path


def read_table(path: str | Path) -> pd.DataFrame:
    """Return a table; labels like ``01`` stay text, ``n/a`` is missing.

    The sidecar says what each column holds; a column it does not explain is a number where every cell is one.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    path = Path(path)
    header, rows = read_cells(path)
    try:
        explained = json.loads(sidecar_path(path).read_bytes())
    except (OSError, ValueError):
        explained = {}
    columns = {}
    for i, name in enumerate(header):
        cells = [None if row[i] in (MISSING, "") else row[i] for row in rows]
        told = explained.get(name) if isinstance(explained, dict) else None
        columns[name] = _typed(cells, told.get("Format", "") if isinstance(told, dict) else "")
    return pd.DataFrame(columns, columns=header)


def write_json(path: str | Path, obj: Any, provenance: Provenance | None = None) -> Path:
    """Write plain JSON; with a provenance, `obj` is a mapping and gets the key ``Provenance``."""
    path, content = Path(path), plain(obj)
    if provenance is not None:
        if not isinstance(content, dict) or "Provenance" in content:
            raise ValueError(f"{path.name}: provenance needs a mapping without the key 'Provenance'")
        content["Provenance"] = provenance.to_dict() | {"SHA256": content_sha256(content)}
    return write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: str | Path, text: str, provenance: Provenance | None = None) -> Path:
    r"""Write UTF-8 text with ``\n`` line ends on every platform; with a provenance, also its sidecar."""
    path = Path(path)
    with _whole_file(path) as stream:
        stream.write(text.replace("\r\n", "\n").encode("utf-8"))
    if provenance is not None:
        _write_sidecar(path, provenance, {})
    return path


def write_dataset_description(out: str | Path, version: str, source_study: str | Path) -> Path:
    """Write ``dataset_description.json`` and ``.bidsignore`` of the output folder."""
    out = Path(out)
    try:
        link = Path(os.path.relpath(source_study, out)).as_posix()
    except ValueError:  # another drive
        link = Path(source_study).absolute().as_uri()
    write_text(out / ".bidsignore", "\n".join(_NOT_BIDS) + "\n")
    content = {
        "Name": "hlhneuro: lesions, volumes and spectra over time",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "hlhneuro", "Version": version}],
        "SourceDatasets": [{"URL": link}],
        "DatasetLinks": {"raw": link},
    }
    return write_json(out / "dataset_description.json", content)


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary neighbour that takes the place of `path` when everything is on disk, and vanishes otherwise."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StudyError(
            "the file cannot be written",
            remedy="free disk space or choose another output folder; what was there before is untouched",
            path=path,
            found=error.strerror or error,
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the platform can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems refuse it
            os.fsync(handle)
    finally:
        os.close(handle)


def _write_sidecar(path: Path, provenance: Provenance, extra: Mapping[str, Any]) -> None:
    # An image and the table of its labels share one sidecar: what is there stays if it has the same provenance.
    sidecar, own = sidecar_path(path), provenance.to_dict()
    try:
        kept = json.loads(sidecar.read_bytes())
        kept = kept if kept["Fingerprint"] == own["Fingerprint"] else {}
        checksums = dict(kept.get("SHA256", {}))
    except (OSError, ValueError, KeyError, TypeError):
        kept, checksums = {}, {}
    checksums[path.name] = file_sha256(path)
    write_json(sidecar, kept | dict(extra) | own | {"SHA256": dict(sorted(checksums.items()))})


def _cell(value: Any) -> str:
    if (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float | np.floating) and value != value)
    ):
        return MISSING
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    text = str(value)
    for broken in "\t\n\r\0":
        text = text.replace(broken, " ")
    return text if text.strip() else MISSING


def _format(column: pd.Series[Any]) -> str:
    # By content: a column of numbers or truth values with a None among them has the dtype object.
    kind = pd.api.types.infer_dtype(column, skipna=True)
    known = {"boolean": "boolean", "integer": "integer", "floating": "number", "mixed-integer-float": "number"}
    return known.get(kind, "string")


def _typed(cells: list[str | None], told: str) -> pd.Series[Any]:
    series = pd.Series(cells, dtype=object)
    present = [cell for cell in cells if cell is not None]
    if told == "string" or (not told and not _all_numbers(present)):
        return series
    if told == "boolean" or (told and not _all_numbers(present)):
        truth = {"true": True, "false": False}
        if not set(present) <= set(truth):
            return series
        return series.map(truth).astype(bool if len(present) == len(cells) else "boolean")
    numbers = pd.to_numeric(series).astype(float)
    whole = told == "integer" and len(present) == len(cells)
    return series.astype("int64") if whole else numbers


def _all_numbers(cells: list[str]) -> bool:
    """Return whether all cells are numbers; '01' is a label."""
    return bool(cells) and all(_NUMBER.fullmatch(cell) for cell in cells)
