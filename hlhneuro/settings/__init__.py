"""Every tunable number: one frozen dataclass per stage, read from TOML; each default names its source."""

from hlhneuro.settings.files import Settings, load_settings, settings_as_toml
from hlhneuro.settings.imaging import AlignSettings, MatchSettings, PrepareSettings, TemplateSettings
from hlhneuro.settings.lesions import ChangeSettings, LesionSettings, SignSettings, VolumeSettings
from hlhneuro.settings.recovery import RecoverySettings
from hlhneuro.settings.report import ReportSettings
from hlhneuro.settings.spectroscopy import PatternSettings, SpectraSettings

__all__ = [
    "AlignSettings",
    "ChangeSettings",
    "LesionSettings",
    "MatchSettings",
    "PatternSettings",
    "PrepareSettings",
    "RecoverySettings",
    "ReportSettings",
    "Settings",
    "SignSettings",
    "SpectraSettings",
    "TemplateSettings",
    "VolumeSettings",
    "load_settings",
    "settings_as_toml",
]
