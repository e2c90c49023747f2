"""The methods text: one sentence for each thing that ran, with its citations, ready to be pasted into a paper."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from hlhneuro.answers import Answer
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import join_words

__all__ = ["Methods", "methods_of"]


@dataclass(frozen=True)
class Methods:
    """Methods text.

    Parameters
    ----------
    paragraphs : tuple of (str, str)
        Heading and text; ``[n]`` refers to the n-th reference.
    references : tuple of str
        In the order in which they are cited.
    """

    paragraphs: tuple[tuple[str, str], ...]
    references: tuple[str, ...]


def methods_of(results: SubjectResults) -> Methods:
    """Return the methods text for what ran on this patient, and for nothing else."""
    told = tomllib.loads(files("hlhneuro.report").joinpath("methods.toml").read_text(encoding="utf-8"))
    ran, values = _what_ran(results), _values(results)
    cited: list[str] = []
    paragraphs: dict[str, list[str]] = {}
    for sentence in told["sentence"]:
        if not set(sentence["when"]) <= ran:
            continue
        cited += [key for key in sentence["cite"] if key not in cited]
        numbers = ", ".join(str(cited.index(key) + 1) for key in sentence["cite"])
        text = sentence["text"].format(**values)
        paragraphs.setdefault(sentence["section"], []).append(f"{text[:-1]} [{numbers}]." if numbers else text)
    return Methods(
        tuple((section, " ".join(sentences)) for section, sentences in paragraphs.items()),
        tuple(told["reference"][key] for key in cited),
    )


def _what_ran(results: SubjectResults) -> set[str]:
    """Return the conditions that hold: stages with a result, and recorded processing steps."""
    ran: set[str] = set()
    if results.aligned is not None:
        ran |= {"aligned", f"brain:{results.settings.prepare.brain_engine}"}
        ran.add("template:given" if results.settings.template.path else "template:MNI152")
        if len(results.aligned.sessions) > 1:
            ran.add("follow_up")
        for session in results.aligned.sessions:
            ran |= {f"step:{step.name}" for volume in session.volumes.values() for step in volume.steps}
    if results.lesions is not None and results.lesions.sessions:
        ran.add("lesions:supplied" if _supplied(results) else "lesions")
    if results.change is not None and results.change.intervals:
        ran.add("change:supplied" if _supplied(results) else "change")
    if results.change is not None and len(results.change.identities) > 1:
        ran.add("tracked")
    ran |= _signs(results) | _volumes(results)
    for spectrum in results.spectra:
        if spectrum.fit is None:
            continue
        ran |= {"spectra", *(f"record:{name}" for name, _ in spectrum.fit.record)}
        sources = [str(parameters.get("source", "")) for name, parameters in spectrum.fit.record if name == "basis"]
        if any("simulat" in source for source in sources):
            ran.add("basis:simulated")
        if spectrum.water_reference:
            ran.add("water")
        if spectrum.voxel is not None:
            ran.add("voxel")
    if any(grid.fit is not None for grid in results.grids):
        ran.add("grids")
    if results.clinical.events or results.clinical.observations:
        ran.add("clinical")
    return ran


def _supplied(results: SubjectResults) -> list[str]:
    """Return the files of lesion masks that are the user's."""
    return [session.supplied for session in (results.lesions.sessions if results.lesions else ()) if session.supplied]


def _volumes(results: SubjectResults) -> set[str]:
    changes = [
        change for interval in (results.volumes.intervals if results.volumes else ()) for change in interval.changes
    ]
    known = any(change.expected_log_change is not None for change in changes)
    return ({"volumes"} if changes else set()) | ({"volumes:expected"} if known else set())


def _signs(results: SubjectResults) -> set[str]:
    signs = results.signs.signs if results.signs else ()
    judged = {one.sign for one in signs if one.answer is not Answer.NOT_ASSESSABLE}
    named = {"restricted_diffusion": "signs:diffusion", "contrast_enhancement": "signs:enhancement"}
    return {name for sign, name in named.items() if sign in judged} | ({"signs"} if judged else set())


def _values(results: SubjectResults) -> dict[str, Any]:
    aligned, lesions = results.aligned, results.lesions
    references = sorted({session.reference for session in aligned.sessions}) if aligned else []
    contrasts = sorted({name for session in lesions.sessions for name in session.contrasts}) if lesions else []
    return {
        "version": results.version,
        "aligned": len(aligned.sessions) if aligned else 0,
        "template": aligned.template if aligned else "",
        "references": join_words(references) or "reference",
        "lesion_masks": join_words(_supplied(results)),
        "contrasts": join_words(contrasts) or "the available contrasts",
        "false_discovery": f"{results.settings.lesions.false_discovery:.2g}",
        "sign_false_discovery": f"{results.settings.signs.false_discovery:.2g}",
        "coverage": f"{results.settings.change.coverage_factor:g}",
        "sign_sd": f"{results.settings.signs.sign_sd:g}",
        "overlap_percent": f"{100 * results.settings.patterns.overlap_least:.0f}",
        "clinical_window_days": f"{results.settings.report.clinical_window_days:g}",
        "voxel_mm": f"{aligned.grid.voxel_size_mm[0]:g}" if aligned else "",
    }
