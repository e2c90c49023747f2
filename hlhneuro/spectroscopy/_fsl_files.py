"""Basis functions as FSL-MRS keeps them: a folder with one JSON file per function."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from hlhneuro.spectroscopy._lcmodel_files import Function

__all__ = ["json_text", "parse_json"]


def parse_json(text: str) -> Function:
    """Return the function of an FSL-MRS basis file.

    Raises
    ------
    ValueError
        If it is not one; it says what is missing.

    References
    ----------
    Clarke WT, Stagg CJ, Jbabdi S. Magn Reson Med 2021;85:2950-2964 (fields after fsl_mrs.utils.mrs_io.fsl_io).
    """
    content = json.loads(text)
    basis = content.get("basis") if isinstance(content, dict) else None
    if not isinstance(basis, dict):
        raise ValueError("basis: the file does not have this field")
    if missing := [f for f in ("basis_re", "basis_im", "basis_dwell", "basis_centre", "basis_name") if f not in basis]:
        raise ValueError(f"{missing[0]}: the file does not have this field")
    try:
        fid = np.asarray(basis["basis_re"], dtype=float) + 1j * np.asarray(basis["basis_im"], dtype=float)
        dwell, centre = float(basis["basis_dwell"]), float(basis["basis_centre"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"basis: cannot be read: {error}") from None
    if fid.ndim != 1 or fid.size < 2 or not np.isfinite(fid).all():
        raise ValueError("basis_re: no complete FID")
    meta = content.get("meta")
    said: dict[str, Any] = meta if isinstance(meta, dict) else {}
    echo, sequence = said.get("EchoTime"), said.get("PulseSequenceType")
    return Function(
        str(basis["basis_name"]),
        fid,
        dwell,
        centre,
        float(echo) if isinstance(echo, int | float) else None,
        sequence if isinstance(sequence, str) else None,
    )


def json_text(function: Function, source: str) -> str:
    """Return the text of an FSL-MRS basis file; echo time and sequence go where FSL-MRS looks at nothing."""
    content = {
        "basis": {
            "basis_re": function.fid.real.tolist(),
            "basis_im": function.fid.imag.tolist(),
            "basis_dwell": function.dwell_time_s,
            "basis_centre": function.spectrometer_frequency_mhz,
            "basis_width": None,
            "basis_name": function.name,
        },
        "meta": {
            "SimVersion": source,
            "EchoTime": function.echo_time_s,
            "PulseSequenceType": function.sequence,
        },
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
