"""What a result was made from, and whether that still holds."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlhneuro.study._names import sidecar_path
from hlhneuro.study._plain import canonical_json, plain

__all__ = ["Provenance", "bids_uri", "content_sha256", "file_sha256", "is_current", "is_sealed"]


@dataclass(frozen=True)
class Provenance:
    """What a result was made from and how.

    Parameters
    ----------
    stage : str
        The step that made it.
    sources : mapping
        BIDS URI of every file read (``bids:raw:sub-01/..``) to its sha256.
    settings : mapping
        Every setting the step used.
    version : str
        Version of the program.
    """

    stage: str
    sources: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""

    def fingerprint(self) -> str:
        """Return the sha256 of all of it; the same for the same content in any order."""
        content = [self.stage, dict(self.sources), dict(self.settings), self.version]
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the sidecar fields as plain JSON types."""
        return {
            "Stage": self.stage,
            "Version": self.version,
            "Sources": sorted(self.sources),
            "SourcesSHA256": dict(sorted(self.sources.items())),
            "Settings": plain(self.settings),
            "Fingerprint": self.fingerprint(),
        }


def file_sha256(path: str | Path) -> str:
    """Return the sha256 of a file; a file that has not changed is read once per process."""
    path = Path(path).absolute()
    state = path.stat()
    return _sha256_of_state(path, state.st_size, state.st_mtime_ns, state.st_ino)


@functools.lru_cache(maxsize=4096)
def _sha256_of_state(path: Path, _size: int, _mtime_ns: int, _inode: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def bids_uri(root: str | Path, path: str | Path, dataset: str = "raw") -> str:
    """Return the BIDS URI of a file in the study at `root`, for example ``bids:raw:sub-01/anat/sub-01_T1w.nii.gz``.

    Raises
    ------
    ValueError
        If the file lies outside `root`.
    """
    # Not resolved: a file may be a link into an annex elsewhere and still belongs to the study.
    inside = Path(path).absolute().relative_to(Path(root).absolute())
    return f"bids:{dataset}:{inside.as_posix()}"


def is_current(paths: Sequence[str | Path], provenance: Provenance) -> bool:
    """Return whether every file is there, was made with this provenance, and is unchanged since.

    A file without a sidecar (or, for a JSON file, without its ``Provenance``) is never current; nor is an empty list.
    """
    fingerprint = provenance.fingerprint()
    return bool(paths) and all(_holds(Path(path), fingerprint) for path in paths)


def is_sealed(path: str | Path) -> bool:
    """Return whether a file is as it was written: its checksum is the one that was kept with it."""
    return _sealed_record(Path(path)) is not None


def _holds(path: Path, fingerprint: str) -> bool:
    record = _sealed_record(path)
    return record is not None and bool(record.get("Fingerprint") == fingerprint)


def _sealed_record(path: Path) -> Mapping[str, Any] | None:
    """Return what is kept of a file's making; None if there is nothing, or the file has changed since."""
    try:
        if path.suffix == ".json":
            content = json.loads(path.read_bytes())
            record: Mapping[str, Any] = content["Provenance"]
            seal: object = content_sha256(content)
            kept: object = record["SHA256"]
        else:
            record = json.loads(sidecar_path(path).read_bytes())
            seal, kept = file_sha256(path), record["SHA256"][path.name]
        return record if seal == kept else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def content_sha256(content: Mapping[str, Any]) -> str:
    """Return the checksum of a JSON result's content, its provenance left out."""
    rest = {key: value for key, value in content.items() if key != "Provenance"}
    return hashlib.sha256(canonical_json(rest).encode()).hexdigest()
