"""Every tunable number: one frozen dataclass per stage, read from TOML; each default names its source."""

from __future__ import annotations

import dataclasses
import json
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
    "settings_as_toml",
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

    basis_metabolites: tuple[str, ...] = tuned(
        (
            *("Ala", "Asc", "Asp", "Cr", "PCr", "GABA", "Glc", "Gln", "Glu", "GPC", "PCho", "PE", "GSH", "Gly", "mI"),
            *("sIns", "Lac", "NAA", "NAAG", "Tau"),
        ),
        "the twenty metabolites a short-echo brain spectrum at 3 T holds: Wilson 2019, Magn Reson Med 82:527",
    )
    press_first_echo_s: float = tuned(0.012, "expert-set: near the shortest TE1 of clinical PRESS; used if unknown", "s")
    steam_mixing_time_s: float = tuned(0.010, "expert-set: common TM of clinical STEAM; used if unknown", "s")
    longest_echo_time_s: float = tuned(2.0, "expert-set: longer times are milliseconds taken for seconds", "s")
    basis_field_tolerance: float = tuned(0.01, "expert-set: shifts keep their ppm, couplings are off by 1 % at most")
    basis_echo_time_tolerance_s: float = tuned(0.001, "expert-set: coupled signals turn by J*TE, below 1 %", "s")


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
        for name in table:
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


def settings_as_toml(settings: Settings | None = None) -> str:
    """Return settings as the text of a TOML file, each with its unit and the source of its default."""
    settings = settings or Settings()
    lines = ["# Settings of hlhneuro: copy, change what you need, pass with --settings FILE; the rest keeps its default."]
    for stage in fields(Settings):
        table = getattr(settings, stage.name)
        lines += ["", f"[{stage.name}]"]
        for one in fields(table):
            unit = f"{one.metadata['unit']}; " if one.metadata["unit"] else ""
            lines += [f"# {unit}{one.metadata['source']}", f"{one.name} = {_toml(getattr(table, one.name))}"]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False)
