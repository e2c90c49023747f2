"""Files that are added to a study all together or not at all."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hlhneuro.errors import InputError, StudyError
from hlhneuro.study._sidecars import read_json
from hlhneuro.study._tables import MISSING, read_cells

__all__ = ["Additions", "additions_to", "packed"]

_GZIP_LEVEL = 6


class Additions:
    """New files of a study, written to a hidden folder inside it until `commit`.

    Parameters
    ----------
    root : path
        The study; made on `commit` if it is not there.
    folder : path
        Where files wait, on the same disk.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        self._waiting: dict[str, Path] = {}
        self._replaceable: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """What was added, as paths inside the study."""
        return tuple(self._waiting)

    def add_bytes(self, name: str, content: bytes, *, may_replace: bool = False) -> None:
        """Add a file; `may_replace` for tables that only grow."""
        place = self.folder / f"{len(self._waiting):05d}"
        place.write_bytes(content)
        self._waiting[name] = place
        if may_replace:
            self._replaceable.add(name)

    def add_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Add a JSON file."""
        self.add_bytes(name, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))

    def add_sidecar(self, stem: str, fields: Mapping[str, Any]) -> None:
        """Add the sidecar of an image; of one that is there already, what its sidecar says stays and gaps are filled.

        Raises
        ------
        InputError
            If the sidecar that is there cannot be read.
        """
        name = f"{stem}.json"
        image = f"{stem}.nii.gz"
        if not ((self.root / name).is_file() and _equal(self.root / image, self._waiting[image])):
            self.add_json(name, fields)
            return
        known = read_json(self.root / name)
        if fields.keys() - known.keys():
            content = json.dumps({**fields, **known}, indent=2, ensure_ascii=False) + "\n"
            self.add_bytes(name, content.encode("utf-8"), may_replace=True)

    def same_in_study(self, stem: str, content: bytes) -> str | None:
        """Return the stem of an image in the same folder, of the same contrast, that holds the very same bytes.

        What was imported once keeps its name when it comes again beside others of its kind.
        """
        folder, ending = (self.root / stem).parent, stem.rpartition("_")[2] + ".nii.gz"
        for path in sorted(folder.glob(f"*_{ending}")):
            if path.stat().st_size == len(content) and path.read_bytes() == content:
                return f"{stem.rpartition('/')[0]}/{path.name.removesuffix('.nii.gz')}"
        return None

    def add_row(self, name: str, key: str, label: str, cells: Mapping[str, str | None]) -> None:
        """Add a row to a table, or fill its empty cells; what the table says already stays.

        Raises
        ------
        InputError
            If the table cannot be read.
        """
        path = self.root / name
        header, rows = read_cells(path, strip=True) if path.is_file() else ([key], [])
        if key not in header:
            raise InputError(
                f"the table has no column {key}", path=path, found=", ".join(header), remedy="add the column"
            )
        known = {column: cell for column, cell in cells.items() if cell is not None}
        header += [column for column in known if column not in header]
        rows = [row + [MISSING] * (len(header) - len(row)) for row in rows]
        row = next((row for row in rows if row[header.index(key)] == label), None)
        if row is None:
            row = [label if column == key else MISSING for column in header]
            rows.append(row)
        for column, cell in known.items():
            if row[header.index(column)] in ("", MISSING):
                row[header.index(column)] = cell
        text = "\n".join("\t".join(cells) for cells in [header, *rows]) + "\n"
        if not path.is_file() or path.read_bytes() != text.encode("utf-8"):
            self.add_bytes(name, text.encode("utf-8"), may_replace=True)

    def commit(self, *, overwrite: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Move everything into place; return what was written, and what was there already, byte for byte.

        Raises
        ------
        StudyError
            If a file is there with other content and `overwrite` is False, or the disk refuses; the study is then as it
            was before.
        """
        same = {name for name, place in self._waiting.items() if _equal(self.root / name, place)}
        wanted = [name for name in self._waiting if name not in same]
        taken = [name for name in wanted if (self.root / name).exists() and name not in self._replaceable]
        if taken and not overwrite:
            raise StudyError(
                f"{len(taken)} files are there already, with other content; nothing was written",
                path=self.root,
                found=", ".join(taken[:5]) + (" .." if len(taken) > 5 else ""),
                remedy="give --overwrite to replace them, or --acq to name the new ones apart",
            )
        self._move(wanted)
        return tuple(wanted), tuple(sorted(same))

    def _move(self, names: list[str]) -> None:
        done: list[tuple[Path, Path | None]] = []
        try:
            for name in names:
                target, kept = self.root / name, None
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists():
                    kept = self.folder / f"before-{len(done):05d}"
                    target.replace(kept)
                    done.append((target, kept))
                else:
                    done.append((target, None))
                self._waiting[name].replace(target)
        except BaseException as error:
            for target, kept in reversed(done):
                with contextlib.suppress(OSError):
                    target.unlink(missing_ok=True)
                    if kept is not None:
                        kept.replace(target)
                with contextlib.suppress(OSError):  # folders that were made for it and are empty again
                    for folder in target.relative_to(self.root).parents:
                        (self.root / folder).rmdir()
            if isinstance(error, OSError):
                raise StudyError(
                    "the study cannot be written; it is as it was before",
                    path=self.root,
                    found=error.strerror or error,
                    remedy="free disk space, or check the permissions",
                ) from error
            raise


def packed(image: Any) -> bytes:
    """Return a NIfTI as a compressed file, the same bytes for the same image, its free texts emptied."""
    for text in ("descrip", "aux_file", "db_name", "data_type"):
        if text in image.header:
            image.header[text] = b""
    stream = io.BytesIO()
    with gzip.GzipFile("", "wb", _GZIP_LEVEL, stream, mtime=0) as out:
        image.to_stream(out)
    return stream.getvalue()


@contextlib.contextmanager
def additions_to(root: Path) -> Iterator[Additions]:
    """Give an empty `Additions`; whatever was not committed vanishes."""
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    folder = root / f".import-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StudyError(
            "the study cannot be written", path=root, found=error.strerror, remedy="check the path and its permissions"
        ) from error
    try:
        yield Additions(root, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for empty in made:
            with contextlib.suppress(OSError):
                empty.rmdir()


def _equal(target: Path, place: Path) -> bool:
    return target.is_file() and target.read_bytes() == place.read_bytes()
