"""Every spectrum: its fit, concentrations, place, preparation and what a report has to state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hlhneuro.report import figures
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections.section import Pictures, Row
from hlhneuro.report.words import join_words, quantity
from hlhneuro.spectroscopy.fitting import SpectrumFit
from hlhneuro.spectroscopy.results import SpectrumResult

__all__ = ["facts", "pictures"]

MAIN_METABOLITES = ("tNAA", "tCr", "tCho", "mI", "Glx", "Lac")
QUALITY = (
    ("SNR", "snr", ""),
    ("linewidth", "linewidth_hz", "Hz"),
    ("linewidth", "linewidth_ppm", "ppm"),
    ("shift", "shift_ppm", "ppm"),
    ("residual over noise", "residual_ratio", ""),
)


def facts(results: SubjectResults) -> Row:
    """Return one row per spectrum."""
    return {"spectra": [_spectrum(spectrum) for spectrum in results.spectra]}


def pictures(results: SubjectResults, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw fit, place and preparation of every spectrum, in the order of the facts."""
    return {
        "spectra": [
            _pictures(results, spectrum, told, gallery)
            for spectrum, told in zip(results.spectra, facts["spectra"], strict=True)
        ]
    }


def _spectrum(spectrum: SpectrumResult) -> Row:
    title = f"ses-{spectrum.session}, {spectrum.name}"
    echo = f"TE {spectrum.echo_time_s * 1000:.0f}\u00a0ms" if spectrum.echo_time_s is not None else "echo time unknown"
    water = "with water reference" if spectrum.water_reference else "no water reference"
    head = ", ".join((spectrum.sequence.upper() if spectrum.sequence else "sequence unknown", echo, water))
    row: Row = {"title": title, "head": head, "reason": spectrum.reason, "main": [], "more": []}
    row |= {"quality": [], "verdict": "", "voxel": _voxel(spectrum), "steps": ""}
    row["reporting"] = [] if spectrum.reporting is None else spectrum.reporting.to_dict(orient="records")
    if spectrum.fit is None:
        return row
    fit = spectrum.fit
    table = [_metabolite(found) for found in fit.concentrations.to_dict(orient="records")]
    row["main"] = [found for found in table if found["name"] in MAIN_METABOLITES]
    row["more"] = [found for found in table if found["name"] not in MAIN_METABOLITES]
    row["verdict"] = str(fit.quality.get("verdict", "not judged"))
    row["quality"] = _quality(fit.quality)
    row["steps"] = _steps(fit) if fit.stages else ""
    return row


def _pictures(results: SubjectResults, spectrum: SpectrumResult, told: Mapping[str, Any], gallery: Gallery) -> Pictures:
    title = told["title"]
    shown: Pictures = {"fit": None, "location": None, "steps": None}
    if spectrum.voxel is not None:
        shown["location"] = gallery.image(
            lambda: figures.voxel_location(results, spectrum),
            "Voxel on the anatomy of its session.",
            f"Three planes through the centre of the voxel of {title}. {told['voxel']}",
        )
    fit = spectrum.fit
    if fit is None:
        return shown
    ratios = ", ".join(f"{found['name']}/tCr {found['ratio']}" for found in told["main"] if found["name"] != "tCr")
    shown["fit"] = gallery.vector(
        lambda: figures.spectrum_fit(fit, f"{title} · {told['head']}"),
        "From top: residual; data with fit and baseline; the largest components.",
        f"Spectrum of {title} with its fit. {ratios}. Fit judged {told['verdict']}.",
    )
    if fit.stages:
        shown["steps"] = gallery.image(
            lambda: figures.preparation_steps(fit.stages, title),
            "Before (grey) and after (blue) each step; coils in units of their noise.",
            f"Preparation of {title}: {told['steps']}.",
        )
    return shown


def _steps(fit: SpectrumFit) -> str:
    """Return the steps in words, with what they found."""
    facts, texts = dict(fit.record), []
    for stage in fit.stages:
        told = facts.get(stage.name, {})
        if stage.name == "transients":
            rejected = told.get("rejected", ())
            left_out = len(rejected) if isinstance(rejected, list | tuple) else 0
            texts.append(f"{told.get('count')} transients aligned over {told.get('drift_hz')} Hz, {left_out} left out")
        elif stage.name == "coil combination":
            texts.append(f"{told.get('coils')} coils combined")
        else:
            texts.append(stage.name)
    return join_words(texts)


def _metabolite(found: Mapping[Any, Any]) -> Row:
    detected = found.get("detected")
    crlb = found.get("crlb_percent")
    return {
        "name": str(found["metabolite"]),
        "concentration": quantity(found["concentration"], found["sd"], str(found["unit"] or "")),
        "crlb": f"{crlb:.0f}\u00a0%" if crlb is not None and pd.notna(crlb) and crlb < 1000 else "over 999\u00a0%",
        "ratio": quantity(found["ratio_to_tcr"], found["ratio_sd"]),
        "detected": "n/a" if detected is None or pd.isna(detected) else "yes" if detected else "no",
    }


def _quality(quality: Mapping[str, object]) -> list[str]:
    texts = []
    for name, key, unit in QUALITY:
        value = quality.get(key)
        if isinstance(value, int | float):
            texts.append(f"{name} {quantity(float(value), None, unit)}")
    reasons = quality.get("reasons")
    if reasons:
        texts.append("; ".join(map(str, reasons)) if isinstance(reasons, list | tuple) else str(reasons))
    return texts


_TOLD_PART = 0.1  # smaller parts of a voxel are not told: they are its rim
_LACTATE_FROM_NAA_PPM = 0.70  # 2.01 - 1.31


def _voxel(spectrum: SpectrumResult) -> str:
    voxel = spectrum.voxel
    if voxel is None:
        return "The voxel could not be placed on the anatomy."
    text = (
        f"Voxel of {quantity(voxel.volume_ml, None, 'ml')}, {100 * voxel.inside_fraction:.0f}\u00a0% inside the images."
    )
    names = (("grey matter", voxel.gm), ("white matter", voxel.wm), ("CSF", voxel.csf), ("lesion", voxel.lesion))
    known = [f"{name} {100 * part:.0f}\u00a0%" for name, part in names if part is not None]
    if known:
        text += f" It holds {join_words(known)}."
    missing = [name for name, part in names if part is None]
    if missing:
        text += f" Not assessable: {join_words(missing)}{f' ({voxel.reason})' if voxel.reason else ''}."
    places = sorted(voxel.territories.items(), key=lambda item: -item[1])
    if places:
        named = [f"{name} {100 * part:.0f}\u00a0%" for name, part in places if part >= _TOLD_PART]
        text += f" It lies in {join_words(named)}." if named else " It lies in no territory by a tenth or more."
    if voxel.displacement_mm_per_ppm is not None:
        apart = quantity(_LACTATE_FROM_NAA_PPM * max(voxel.displacement_mm_per_ppm), None, "mm")
        text += f" The boxes of lactate and NAA lie up to {apart} apart (chemical shift)."
    return text
