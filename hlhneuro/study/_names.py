"""The names of result files: built in one order, and taken apart again."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["derivative_path", "parse_derivative_name", "sidecar_path"]

# Published order: output names rely on it, so it is fixed here and not taken from a BIDS schema that may move.
_ENTITIES = ("sub", "ses", "acq", "voi", "run", "space", "ce", "from", "to", "mode", "label", "desc")
_LABEL = re.compile(r"[A-Za-z0-9]+")
_CONTRAST = re.compile(r"ce-([A-Za-z0-9]+)_([A-Za-z0-9]+)")
_DATATYPES = ("anat", "dwi", "mrs", "swi")


def derivative_path(
    out: str | Path,
    subject: str,
    session: str | None,
    datatype: str | None,
    suffix: str,
    extension: str,
    **entities: str | None,
) -> Path:
    """Return the path of one result file.

    Parameters
    ----------
    out : path
        The output folder.
    subject, session : str
        Labels without ``sub-`` and ``ses-``; `session` is None for a result of the whole subject.
    datatype : str or None
        ``anat``, ``dwi``, ``swi`` or ``mrs``; None for a file in the subject's (or session's) own folder.
    suffix : str
        Last part of the name, for example ``mask``. A contrast such as ``ce-gadolinium_T1w`` is taken apart.
    extension : str
        With its dot: ``.nii.gz``.
    **entities : str
        ``acq, voi, run, space, ce, from_, to, mode, label, desc``, in any order; None leaves one out. A contrast such
        as ``ce-gadolinium_T1w`` as the value of `from_`, `to` or `space` becomes ``cegadoliniumT1w``.

    Raises
    ------
    ValueError
        If an entity is unknown or a label holds anything but letters and digits.

    Examples
    --------
    >>> derivative_path("out", "01", "02", "anat", "mask", ".nii.gz", label="lesion", space="FLAIR").as_posix()
    'out/sub-01/ses-02/anat/sub-01_ses-02_space-FLAIR_label-lesion_mask.nii.gz'
    """
    given = {"sub": subject, "ses": session} | {key.rstrip("_"): value for key, value in entities.items()}
    if contrast := _CONTRAST.fullmatch(suffix):
        given["ce"], suffix = contrast.groups()
    if unknown := set(given) - set(_ENTITIES):
        raise ValueError(f"unknown entities in a result's name: {sorted(unknown)}; known are {list(_ENTITIES)}")
    for key in ("from", "to", "space"):
        if (value := given.get(key)) is not None and (contrast := _CONTRAST.fullmatch(value)):
            given[key] = "ce" + "".join(contrast.groups())
    named = [(key, value) for key in _ENTITIES if (value := given.get(key)) is not None]
    for key, value in [*named, ("suffix", suffix)]:
        if not _LABEL.fullmatch(value):
            raise ValueError(f"{key} {value!r} in a result's name: only letters and digits are allowed")
    if not re.fullmatch(r"(\.[A-Za-z0-9]+)+", extension):
        raise ValueError(f"extension {extension!r}: expected something like '.nii.gz'")
    if datatype is not None and datatype not in _DATATYPES:
        raise ValueError(f"datatype {datatype!r}: known are {list(_DATATYPES)}")
    folder = Path(
        out, f"sub-{subject}", *([f"ses-{session}"] if session is not None else []), *filter(None, [datatype])
    )
    return folder / ("_".join([f"{key}-{value}" for key, value in named] + [suffix]) + extension)


def parse_derivative_name(path: str | Path) -> dict[str, str]:
    """Return the entities of a result's name, with ``suffix`` and ``extension``.

    Raises
    ------
    ValueError
        If the name is not one that `derivative_path` builds.
    """
    stem, dot, extension = Path(path).name.partition(".")
    *pairs, suffix = stem.split("_")
    found = dict(pair.split("-", 1) for pair in pairs if "-" in pair)
    in_order = [key for key in _ENTITIES if key in found]
    if len(found) != len(pairs) or list(found) != in_order or not _LABEL.fullmatch(suffix) or not dot:
        raise ValueError(f"{Path(path).name!r} is not the name of a result")
    return found | {"suffix": suffix, "extension": dot + extension}


def sidecar_path(path: str | Path) -> Path:
    """Return the JSON sidecar of an image, table or text file."""
    path = Path(path)
    return path.with_name(path.name.partition(".")[0] + ".json")
