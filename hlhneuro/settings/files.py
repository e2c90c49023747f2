"""All stages together, and their way from and to TOML."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from hlhneuro.errors import StudyError
from hlhneuro.settings.imaging import AlignSettings, PrepareSettings, TemplateSettings
from hlhneuro.settings.lesions import ChangeSettings, LesionSettings, SignSettings, VolumeSettings
from hlhneuro.settings.recovery import RecoverySettings
from hlhneuro.settings.report import ReportSettings
from hlhneuro.settings.spectroscopy import PatternSettings, SpectraSettings

__all__ = ["Settings", "load_settings", "settings_as_toml"]


@dataclass(frozen=True)
class Settings:
    """All stages together. Immutable; `replace` or `load_settings` make a changed copy."""

    prepare: PrepareSettings = field(default_factory=PrepareSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
    template: TemplateSettings = field(default_factory=TemplateSettings)
    lesions: LesionSettings = field(default_factory=LesionSettings)
    change: ChangeSettings = field(default_factory=ChangeSettings)
    signs: SignSettings = field(default_factory=SignSettings)
    volumes: VolumeSettings = field(default_factory=VolumeSettings)
    spectra: SpectraSettings = field(default_factory=SpectraSettings)
    patterns: PatternSettings = field(default_factory=PatternSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    recovery: RecoverySettings = field(default_factory=RecoverySettings)

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
    lines = [
        "# Settings of hlhneuro: copy, change what you need, pass with --settings FILE; the rest keeps its default."
    ]
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
