"""What is on disk: a BIDS study, its facts, and where results go."""

from hlhneuro.study.derivatives import (
    Provenance,
    bids_uri,
    derivative_path,
    file_sha256,
    is_current,
    read_table,
    write_dataset_description,
    write_image,
    write_json,
    write_table,
    write_text,
)
from hlhneuro.study.layout import Scan, Session, Study, Subject, open_study

__all__ = [
    "Provenance",
    "Scan",
    "Session",
    "Study",
    "Subject",
    "bids_uri",
    "derivative_path",
    "file_sha256",
    "is_current",
    "open_study",
    "read_table",
    "write_dataset_description",
    "write_image",
    "write_json",
    "write_table",
    "write_text",
]
