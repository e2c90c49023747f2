"""Every tunable number: one frozen dataclass per stage, read from TOML; each default names its source."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from hlhneuro.errors import StudyError

__all__ = [
    "AlignSettings",
    "ChangeSettings",
    "LesionSettings",
    "PatternSettings",
    "PrepareSettings",
    "ReportSettings",
    "Settings",
    "SpectraSettings",
    "load_settings",
]

T = TypeVar("T")


def tuned(default: T, source: str, unit: str = "") -> T:
    """Declare one setting: its default, where that number comes from, and its unit."""
    if not source:
        raise ValueError("a setting needs a source, or the words 'expert-set'")
    value: T = field(default=default, metadata={"source": source, "unit": unit})
    return value


@dataclass(frozen=True)
class PrepareSettings:
    """From a scanner image to a bias-corrected, brain-masked one (`hlhneuro.imaging`)."""

    n4_shrink_in_plane: int = tuned(4, "measured: 8 s on a 256x256x50 T1 at no visible loss")


@dataclass(frozen=True)
class AlignSettings:
    """All sessions and contrasts of a subject in one space (`hlhneuro.imaging`)."""

    voxel_size_mm: float = tuned(1.0, "expert-set: isotropic, finer than clinical slice thickness", "mm")


@dataclass(frozen=True)
class LesionSettings:
    """Tissue model, lesion masks, territories (`hlhneuro.lesions`)."""


@dataclass(frozen=True)
class ChangeSettings:
    """What counts as changed between two sessions (`hlhneuro.lesions`)."""


@dataclass(frozen=True)
class SpectraSettings:
    """Preprocessing, fit and quality of spectra (`hlhneuro.spectroscopy`)."""


@dataclass(frozen=True)
class PatternSettings:
    """Rules that name a spectral pattern (`hlhneuro.spectroscopy.patterns`)."""


@dataclass(frozen=True)
class ReportSettings:
    """What the report shows (`hlhneuro.report`)."""


@dataclass(frozen=True)
class Settings:
    """All stages together. Immutable; `replace` or `load_settings` make a changed copy."""

    prepare: PrepareSettings = PrepareSettings()
    align: AlignSettings = AlignSettings()
    lesions: LesionSettings = LesionSettings()
    change: ChangeSettings = ChangeSettings()
    spectra: SpectraSettings = SpectraSettings()
    patterns: PatternSettings = PatternSettings()
    report: ReportSettings = ReportSettings()

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return stage -> name -> value, as written to sidecars."""
        return dataclasses.asdict(self)


def load_settings(path: Path | None = None, overrides: Iterable[str] = ()) -> Settings:
    """Read settings from a TOML file and from ``stage.name=value`` texts.

    Parameters
    ----------
    path : path, optional
        TOML file with one table per stage; names that are left out keep their default.
    overrides : iterable of str
        ``stage.name=value`` texts, the value written as in TOML; they win over the file.

    Returns
    -------
    Settings

    Raises
    ------
    StudyError
        If the file cannot be read, or a stage, name or type is unknown.
    """
    tables: dict[str, dict[str, Any]] = {}
    if path is not None:
        try:
            tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StudyError(
                f"settings could not be read: {error}", path=path, remedy="give a TOML file with one table per stage"
            ) from error
    for text in overrides:
        stage, name, value = _parse_override(text)
        tables.setdefault(stage, {})[name] = value
    return _build(tables, path)


def _parse_override(text: str) -> tuple[str, str, Any]:
    key, equals, raw = text.partition("=")
    stage, dot, name = key.strip().partition(".")
    if not (equals and dot and stage and name):
        raise StudyError(
            "--set needs stage.name=value", found=text, remedy="write for example --set align.voxel_size_mm=1.5"
        )
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw.strip()  # an unquoted word is meant as text
    return stage, name, value


def _build(tables: Mapping[str, Mapping[str, Any]], path: Path | None) -> Settings:
    stages = {f.name: f for f in fields(Settings)}
    changed: dict[str, Any] = {}
    for stage, table in tables.items():
        if stage not in stages or not isinstance(table, Mapping):
            raise StudyError(
                "unknown stage in the settings", path=path, found=stage, remedy=f"use one of: {', '.join(stages)}"
            )
        default = getattr(Settings(), stage)
        hints = get_type_hints(type(default))
        for name, value in table.items():
            if name not in hints:
                raise StudyError(
                    "unknown setting",
                    path=path,
                    field=stage,
                    found=name,
                    remedy=f"use one of: {', '.join(hints) or 'none'}",
                )
        changed[stage] = dataclasses.replace(
            default,
            **{name: _coerce(value, getattr(default, name), f"{stage}.{name}", path) for name, value in table.items()},
        )
    return dataclasses.replace(Settings(), **changed)


def _coerce(value: Any, default: Any, name: str, path: Path | None) -> Any:
    """Accept a value of the default's type (an integer where a float is meant, a list where a tuple is)."""
    if isinstance(default, bool) or isinstance(value, bool):
        ok = isinstance(value, bool) and isinstance(default, bool)
    elif isinstance(default, float):
        ok = isinstance(value, int | float)
        value = float(value) if ok else value
    elif isinstance(default, tuple):
        ok = isinstance(value, list | tuple)
        value = tuple(value) if ok else value
    else:
        ok = isinstance(value, type(default))
    if not ok:
        raise StudyError(
            "wrong type of setting", path=path, field=name, found=repr(value), remedy=f"give a value like {default!r}"
        )
    return value
