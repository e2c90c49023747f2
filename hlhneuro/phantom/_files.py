"""Raw BIDS files, the same bytes for the same content."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import nibabel
import numpy as np
from numpy.typing import NDArray

__all__ = ["write_image", "write_json", "write_nifti", "write_table", "write_text"]

_nib = cast("Any", nibabel)  # its image classes are not annotated


def write_text(path: Path, text: str) -> None:
    """Write text, its folder made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write indented JSON in the order given."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_table(path: Path, rows: Sequence[Mapping[str, object]], columns: Mapping[str, str]) -> None:
    """Write a tab-separated table and the JSON that says what each column means."""
    lines = ["\t".join(columns), *("\t".join(_cell(row.get(name)) for name in columns) for row in rows)]
    write_text(path, "\n".join(lines) + "\n")
    write_json(path.with_suffix(".json"), {name: {"Description": meaning} for name, meaning in columns.items()})


def _cell(value: object) -> str:
    if value is None or value == "":
        return "n/a"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def write_nifti(
    path: Path, data: NDArray[Any], affine: NDArray[np.float64], sidecar: Mapping[str, Any] | None = None
) -> None:
    """Write a compressed image in the data type of `data`, with qform and sform both in scanner space."""
    image = _nib.Nifti1Image(data, affine, dtype=data.dtype)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm", "sec")
    write_image(path, image, sidecar)


def write_image(path: Path, image: Any, sidecar: Mapping[str, Any] | None = None) -> None:
    """Write any NIfTI image without the time and the name that gzip would add, and its sidecar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream, gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
        image.to_stream(packed)
    if sidecar is not None:
        write_json(path.with_name(path.name.removesuffix(".nii.gz") + ".json"), sidecar)
