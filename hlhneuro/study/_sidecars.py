"""JSON sidecars by the inheritance principle of BIDS.

bids2table has a reader too; it keeps what it once read for as long as the process lives, passes over broken files in
silence, and lets ``sub-01_T1w.json`` speak for ``sub-01_run-2_T1w.nii.gz`` beside it. Here each of these matters: a
notebook sees an edited file, a broken file is told, and an echo time is never borrowed from another scan.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bids2table import parse_bids_entities

from hlhneuro.errors import InputError
from hlhneuro.study._values import names_a_person

__all__ = ["Sidecars", "read_json"]


def read_json(path: Path) -> dict[str, Any]:
    """Return the fields of a JSON file.

    Raises
    ------
    InputError
        If it is not a JSON object in UTF-8.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            "the JSON file cannot be read", remedy="correct it, or write it again with the converter", path=path,
            found=error,
        ) from None  # fmt: skip
    if not isinstance(content, dict):
        raise InputError(
            "the JSON file holds no fields",
            remedy='write it as {"EchoTime": .., ..}',
            path=path,
            found=type(content).__name__,
        )
    return content


class Sidecars:
    """The sidecars of one study; each file is read once per object.

    Parameters
    ----------
    root : path
        Folder of the study.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[Path, list[Path]] = {}
        self._contents: dict[Path, dict[str, Any] | str] = {}

    def read(self, path: Path) -> tuple[dict[str, Any], list[str]]:
        """Return the fields that apply to an image, the nearer file winning, and what is wrong with the files."""
        wanted = _entities(path)
        merged: dict[str, Any] = {}
        problems: list[str] = []
        folders = [path.parent, *path.parent.parents]
        folders = folders[: folders.index(self._root) + 1]
        for folder in reversed(folders):
            for sidecar in self._applicable(folder, wanted, path):
                content = self._content(sidecar)
                if isinstance(content, str):
                    problems.append(content)
                else:
                    merged |= content
        personal = sorted(key for key in merged if names_a_person(key))
        if personal:
            problems.append(
                f"{path.name}: its sidecar holds {', '.join(personal)}, which name the patient; they are not kept. "
                "Remove them from the file"
            )
        return {key: value for key, value in merged.items() if key not in personal}, problems

    def _applicable(self, folder: Path, wanted: dict[str, str], path: Path) -> list[Path]:
        if folder not in self._names:
            self._names[folder] = sorted(folder.glob("*.json"))
        found = []
        for sidecar in self._names[folder]:
            entities = _entities(sidecar)
            if "suffix" not in entities or not entities.items() <= wanted.items():
                continue
            stem = sidecar.name.removesuffix(".json")
            own = path.name.partition(".")[0] == stem
            if own or not any((folder / (stem + end)).exists() for end in (".nii.gz", ".nii")):
                found.append((len(entities), sidecar))
        return [sidecar for _, sidecar in sorted(found)]

    def _content(self, sidecar: Path) -> dict[str, Any] | str:
        if sidecar not in self._contents:
            try:
                self._contents[sidecar] = read_json(sidecar)
            except InputError as error:
                self._contents[sidecar] = str(error)
        return self._contents[sidecar]


def _entities(path: Path) -> dict[str, str]:
    entities = parse_bids_entities(Path(path.name))
    return {key: value for key, value in entities.items() if key not in ("datatype", "ext")}
