"""Every spectrum: its course, fit, concentrations, place, preparation and what a report of it has to state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from hlhneuro.answers import Answer, Finding
from hlhneuro.report import figures
from hlhneuro.report.account.findings import Findings
from hlhneuro.report.figures.ratios import RATIOS
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.sections.spectrum_facts import finite, spectrum_facts, voxel_facts
from hlhneuro.report.words import join_words, percent, quantity, session_of
from hlhneuro.spectroscopy import SpectrumResult, comparable, confounders_of, overlap

__all__ = ["facts", "layout", "pictures"]

BESIDE_IN = 4.7  # two figures of this width stand side by side in the page
CONFOUNDERS = ". Confounders on the time line"
AT_1_3_PPM = ("lactate", "lipid")  # signs that are read together with the verification of lactate


def facts(results: SubjectResults) -> Row:
    """Return one row per voxel and session with its spectra, and how far voxels of consecutive sessions overlap."""
    return {
        "names": list(RATIOS),
        "lipid_ppm": 1.3,
        "detection_sd": results.settings.spectra.detection_sd,
        "overlap_least_percent": 100 * results.settings.patterns.overlap_least,
        "overlaps": _overlaps(results),
        "voxels": [_voxel(results, members) for members in _by_voxel(results.spectra)],
    }


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the ratios of all sessions, then fit, place and preparation of every spectrum, in the order of the facts."""
    if not facts["voxels"]:
        return {}
    return {
        "ratios": gallery.image(
            lambda: figures.ratio_bars(results),
            "Ratios to total creatine at every session. Error bars are one standard uncertainty; a hollow bar was not "
            "told from noise.",
            f"Bars of the main ratios by session and acquisition. {_all_ratios(facts)}",
        ),
        "voxels": [
            _pictures(results, members, told, gallery)
            for members, told in zip(_by_voxel(results.spectra), facts["voxels"], strict=True)
        ],
    }


def layout(findings: Findings) -> Row:
    """Return, for every voxel of the facts, what the account answers about its spectra."""
    return {"answers": [_answers(findings.of_kind("spectra"), told) for told in findings.sections["spectra"]["voxels"]]}


# ------------------------------------------------------------------------------------------------------ facts


def _by_voxel(spectra: Iterable[SpectrumResult]) -> list[list[SpectrumResult]]:
    """Return the spectra of one session and one box together, short echo times first."""
    groups: list[list[SpectrumResult]] = []
    for spectrum in spectra:
        for group in groups:
            if (group[0].session, group[0].place) == (spectrum.session, spectrum.place) and _one_box(group, spectrum):
                group.append(spectrum)
                break
        else:
            groups.append([spectrum])
    for group in groups:
        group.sort(key=lambda one: (one.echo_time_s is None, one.echo_time_s or 0.0, one.name))
    return groups


def _one_box(group: Sequence[SpectrumResult], spectrum: SpectrumResult) -> bool:
    """Tell whether a spectrum comes from the box of the others; where no place is known, nothing speaks against it."""
    known = next((one.voxel for one in group if one.voxel is not None), None)
    return known is None or spectrum.voxel is None or np.array_equal(known.mask, spectrum.voxel.mask)


def _voxel(results: SubjectResults, members: Sequence[SpectrumResult]) -> Row:
    session = session_of(results, members[0].session)
    placed = next((one.voxel for one in members if one.voxel is not None), None)
    return {
        "session": members[0].session,
        "place": members[0].place,
        "confounders": list(confounders_of(session, results.clinical.events)) if session else [],
        "voxel": None if placed is None else voxel_facts(placed),
        "spectra": [spectrum_facts(one, RATIOS, results.settings.spectra.detection_sd) for one in members],
    }


def _overlaps(results: SubjectResults) -> list[Row]:
    """Return how far voxels of consecutive sessions overlap, and whether their spectra may be compared."""
    courses: dict[str, list[SpectrumResult]] = {}
    for spectrum in results.spectra:
        courses.setdefault(spectrum.name, []).append(spectrum)
    rows = []
    for name, course in courses.items():
        for before, after in pairwise(course):
            compared, reasons = comparable(before, after, results.settings.patterns)
            placed = before.voxel is not None and after.voxel is not None
            share = overlap(before.voxel, after.voxel) if before.voxel and after.voxel and placed else None
            rows.append(
                {
                    "name": name,
                    "before": before.session,
                    "after": after.session,
                    "overlap_percent": None if share is None else 100 * share,
                    "compared": compared,
                    "reasons": [] if compared else list(reasons),
                }
            )
    return rows


# --------------------------------------------------------------------------------------------------- pictures


def _pictures(
    results: SubjectResults, members: Sequence[SpectrumResult], told: Mapping[str, Any], gallery: Gallery
) -> Pictures:
    shown: Pictures = {"fits": [], "location": None, "steps": []}
    where = f"ses-{told['session']}, {told['place']}"
    placed = next((one for one in members if one.voxel is not None), None)
    if placed is not None:
        shown["location"] = gallery.image(
            lambda: figures.voxel_location(results, placed),
            "The voxel on the anatomy of its session.",
            f"Three planes through the centre of the voxel of {where}. {_parts(told['voxel'])}",
        )
    for spectrum, row in zip(members, told["spectra"], strict=True):
        title = f"{row['name']}, {_echo(row)}"
        fit = spectrum.fit
        if fit is None:
            shown["fits"].append(None)
            shown["steps"].append(None)
            continue
        shown["fits"].append(
            gallery.vector(
                lambda fit=fit, title=title: figures.spectrum_fit(fit, title, width_in=BESIDE_IN),  # type: ignore[misc]
                "",
                f"Spectrum of ses-{told['session']}, {title}, with its fit: residual, data with fit and baseline, and "
                f"components. {_ratios(row)}. Fit judged {row['verdict']}.",
            )
        )
        stages = fit.stages
        shown["steps"].append(
            gallery.image(
                lambda stages=stages, title=title: figures.preparation_steps(stages, title),  # type: ignore[misc]
                "Before (grey) and after (blue) each step; coils in units of their noise.",
                f"Preparation of ses-{told['session']}, {title}: {_steps(row['steps'])}.",
            )
            if stages
            else None
        )
    return shown


def _echo(row: Mapping[str, Any]) -> str:
    known = row["echo_time_ms"]
    return "echo time unknown" if known is None else f"TE {quantity(known, None, 'ms')}"


def _ratios(row: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{found['name']}/tCr {quantity(found['ratio_to_tcr'], found['ratio_sd'])}"
        for found in row["metabolites"]
        if found["name"] in RATIOS
    )


def _all_ratios(facts: Mapping[str, Any]) -> str:
    return " ".join(
        f"ses-{voxel['session']}, {row['name']}: {_ratios(row)}."
        for voxel in facts["voxels"]
        for row in voxel["spectra"]
        if row["metabolites"]
    )


def _parts(voxel: Mapping[str, Any]) -> str:
    known = [f"{part['name']} {percent(part['percent'])}" for part in voxel["parts"]]
    return f"It holds {join_words(known)}." if known else "What it holds is not known."


def _steps(steps: Iterable[Mapping[str, Any]]) -> str:
    """Return the steps in words, with what they found."""
    texts = []
    for step in steps:
        if finite(step.get("transients")) is not None:
            text = f"{quantity(step['transients'])} transients aligned over {quantity(step['drift_hz'], None, 'Hz')}"
            texts.append(f"{text}, {quantity(step['left_out'])} left out")
        elif finite(step.get("coils")) is not None:
            texts.append(f"{quantity(step['coils'])} coils combined")
        else:
            texts.append(str(step["name"]))
    return join_words(texts)


# ---------------------------------------------------------------------------------------------------- answers


def _answers(findings: Sequence[Finding], told: Mapping[str, Any]) -> Row:
    """Return the patterns of one voxel, and what is said of lactate, lipid and the course since the last session."""
    session, names = told["session"], [row["name"] for row in told["spectra"]]
    here = [one for one in findings if one.sessions[-1:] == (session,)]
    of_place = [one for one in here if one.scope == "session" and one.subject_of == told["place"]]
    patterns = [one for one in of_place if one.code.startswith("pattern_")]
    named = [one for one in patterns if one.answer is Answer.PRESENT]
    verified = [one for one in of_place if one.code == "lactate_verified"]
    signs = [
        one
        for code in AT_1_3_PPM
        for name in names
        for one in here
        if (one.scope, one.subject_of, one.code) == ("spectrum", name, code)
    ]
    courses = [one for one in here if one.scope == "interval" and one.subject_of in names]
    return {
        "patterns": patterns,
        "named": named,
        "verified": verified,
        "rows": [_said(one, names) for one in (*named, *verified, *signs, *courses)],
    }


def _said(finding: Finding, names: Sequence[str]) -> Row:
    return {
        "label": finding.label,
        "of": finding.subject_of if finding.subject_of in names else "",
        "answer": finding.answer.value,
        "reason": finding.reason.partition(CONFOUNDERS)[0],  # they have a row of their own
    }
