"""Tab-separated text as people really save it: BOM, any line end, short rows, "n/a" for missing."""

from __future__ import annotations

from pathlib import Path

from hlhneuro.errors import InputError

__all__ = ["MISSING", "read_cells"]

MISSING = "n/a"


def read_cells(path: Path, *, strip: bool = False) -> tuple[list[str], list[list[str]]]:
    r"""Return the header and the rows of a TSV file as text, every row as long as the header.

    Quotes are ordinary characters, as BIDS has it. Lines end in ``\n``, ``\r\n`` or ``\r``; blank lines are left out.

    Raises
    ------
    InputError
        If the file is not UTF-8, is empty, or a row has more cells than the header.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "the table is not UTF-8 text", remedy="save it as UTF-8, tab-separated text", path=path, found=str(error)
        ) from None
    except OSError as error:
        raise InputError(
            "the table cannot be read", remedy="check that the file is there and readable", path=path, found=error
        ) from None
    # Not str.splitlines: it also splits at characters that may stand inside a cell.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    rows = [line.split("\t") for line in lines if line.strip()]
    if strip:
        rows = [[cell.strip() for cell in row] for row in rows]
    if not rows:
        raise InputError("the table is empty", remedy="give it a header line, or remove it", path=path)
    header, *body = rows
    for number, row in enumerate(body, start=2):
        if any(cell for cell in row[len(header) :]):
            raise InputError(
                f"row {number} has {len(row)} cells, the header has {len(header)}",
                remedy="separate the columns by single tabs",
                path=path,
            )
    return header, [(row + [MISSING] * len(header))[: len(header)] for row in body]
