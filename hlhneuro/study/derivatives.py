"""Where results go and how they are written: names, provenance, and "is this result still current?"."""

from __future__ import annotations

from hlhneuro.study._names import derivative_path, parse_derivative_name, sidecar_path
from hlhneuro.study._provenance import Provenance, bids_uri, file_sha256, is_current, is_sealed
from hlhneuro.study._writing import (
    read_table,
    write_dataset_description,
    write_image,
    write_json,
    write_table,
    write_text,
)

__all__ = [
    "Provenance",
    "bids_uri",
    "derivative_path",
    "file_sha256",
    "is_current",
    "is_sealed",
    "parse_derivative_name",
    "read_table",
    "sidecar_path",
    "write_dataset_description",
    "write_image",
    "write_json",
    "write_table",
    "write_text",
]
