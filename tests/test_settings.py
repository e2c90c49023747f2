from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from hlhneuro.errors import StudyError
from hlhneuro.settings import Settings, load_settings, settings_as_toml

DEFAULTS = Path(__file__).parents[1] / "pipelines" / "default_settings.toml"


def test_every_setting_names_its_source_and_unit() -> None:
    for stage in fields(Settings):
        for one in fields(getattr(Settings(), stage.name)):
            assert one.metadata.get("source"), f"{stage.name}.{one.name} has no source"
            assert "unit" in one.metadata


def test_the_default_settings_file_is_what_the_code_says() -> None:
    assert DEFAULTS.read_text(encoding="utf-8") == settings_as_toml(), "write it again with `make settings`"


def test_toml_text_reads_back_as_the_same_settings(tmp_path: Path) -> None:
    changed = load_settings(None, ["align.voxel_size_mm=1.5"])
    (tmp_path / "s.toml").write_text(settings_as_toml(changed), encoding="utf-8")
    assert load_settings(tmp_path / "s.toml") == changed
    assert tomllib.loads(settings_as_toml())["align"]["voxel_size_mm"] == Settings().align.voxel_size_mm


def test_an_override_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[align]\nvoxel_size_mm = 2\n", encoding="utf-8")
    assert load_settings(tmp_path / "s.toml").align.voxel_size_mm == 2.0
    assert load_settings(tmp_path / "s.toml", ["align.voxel_size_mm=1.25"]).align.voxel_size_mm == 1.25


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("align.voxel_size_mm", "stage.name=value"),
        ("nowhere.voxel_size_mm=1", "nowhere"),
        ("align.voxel=1", "voxel_size_mm"),
        ("align.voxel_size_mm='fine'", "give a value like 1.0"),
        ("align.voxel_size_mm=true", "give a value like 1.0"),
    ],
)
def test_a_wrong_setting_names_the_remedy(text: str, says: str) -> None:
    with pytest.raises(StudyError, match="Remedy") as caught:
        load_settings(None, [text])
    assert says in str(caught.value)


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[align\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"s\.toml"):
        load_settings(tmp_path / "s.toml")
