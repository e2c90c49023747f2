"""The stages of one subject, in order: each from disk if it is still valid, computed and kept otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from threadpoolctl import threadpool_limits

import hlhneuro
from hlhneuro.answers import Finding
from hlhneuro.errors import InputError, StudyError
from hlhneuro.imaging import AlignedSeries, align, template_checksums
from hlhneuro.lesions import LesionChange, LesionSeries, LesionSigns, VolumeChange, lesion_findings, measure_change
from hlhneuro.pipeline.ledger import Kept, Ledger, fingerprint_of
from hlhneuro.pipeline.lesion_masks import find_lesions
from hlhneuro.pipeline.mrsi import run_mrsi
from hlhneuro.pipeline.preparing import prepare_all
from hlhneuro.pipeline.spectra import run_spectra
from hlhneuro.pipeline.spectral_patterns import find_patterns
from hlhneuro.pipeline.store_images import ImageStore
from hlhneuro.pipeline.store_signs import run_signs
from hlhneuro.pipeline.store_volumes import run_volumes
from hlhneuro.pipeline.task import SubjectRun
from hlhneuro.report import (
    Findings,
    StageStatus,
    SubjectResults,
    assess,
    columns_of,
    tables_of,
    write_report,
)
from hlhneuro.settings import Settings
from hlhneuro.spectroscopy import GridResult, SpectrumResult
from hlhneuro.study import Study, open_study, read_clinical, write_json, write_table

__all__ = ["load_subject", "run_subject"]


def run_subject(
    task: SubjectRun, notify: Callable[[StageStatus], None] = lambda status: None
) -> tuple[SubjectResults, Findings | None, bool]:
    """Run all stages of one subject and write its results.

    Returns
    -------
    results : SubjectResults
    findings : Findings or None
        None if the findings could not be made.
    crashed : bool
        Whether a fault of the program (not of the input) was met.
    """
    ledger = Ledger(task.folder, task.subject.label, reports_only=task.reports_only, notify=notify)
    with threadpool_limits(limits=1):  # the order of sums, and so the last bit, depends on the number of BLAS threads
        aligned = run_alignment(task, ledger)
        lesions, change = run_lesions(task, ledger, aligned)
        signs = run_signs(task, ledger, aligned, lesions, change)
        volumes = run_volumes(task, ledger, aligned, lesions)
        spectra = run_spectra(task, ledger, aligned, lesions)
        grids = run_mrsi(task, ledger, aligned, lesions)
        findings, results = run_report(task, ledger, aligned, lesions, change, signs, volumes, spectra, grids)
    return results, findings, ledger.crashed


def load_subject(study: Study | str | Path, out: str | Path, label: str) -> SubjectResults:
    """Return the saved results of one subject, as every figure of the report takes them; nothing is computed.

    Parameters
    ----------
    study : Study or path
        The raw study; only its tables and names are read.
    out : path
        Output folder of a run.
    label : str
        Subject label, with or without ``sub-``.

    Raises
    ------
    StudyError
        If the study has no such subject.
    """
    study = study if isinstance(study, Study) else open_study(study)
    subject = study.subject(label.removeprefix("sub-"))
    if subject is None:
        known = ", ".join(one.label for one in study.subjects)
        raise StudyError("no such subject in the study", path=study.root, found=label, remedy=f"choose from: {known}")
    task = SubjectRun(study, subject, Path(out), Settings(), reports_only=True)
    ledger = Ledger(task.folder, subject.label, reports_only=True)
    aligned = run_alignment(task, ledger)
    lesions, change = run_lesions(task, ledger, aligned)
    signs = run_signs(task, ledger, aligned, lesions, change)
    volumes = run_volumes(task, ledger, aligned, lesions)
    spectra = run_spectra(task, ledger, aligned, lesions)
    grids = run_mrsi(task, ledger, aligned, lesions)
    statuses, version = tuple(ledger.statuses), hlhneuro.__version__
    return SubjectResults(
        subject,
        aligned,
        lesions,
        change,
        spectra,
        statuses,
        task.settings,
        version,
        signs=signs,
        volumes=volumes,
        grids=grids,
        clinical=read_clinical(task.study, task.subject),
    )


def run_alignment(task: SubjectRun, ledger: Ledger) -> AlignedSeries | None:
    """Read, prepare and align all images of the subject."""
    images = [scan for session in task.subject.sessions for scan in session.images]
    if not images:
        ledger.note("align", "not assessable", "the subject has no image")
        return None
    ages = {session.label: session.age_years for session in task.subject.sessions}
    sources = task.checksums(*(scan.path for scan in images)) | task.mask_checksums()
    sources |= template_checksums(task.settings.template) | {"ages": fingerprint_of(ages)}
    provenance = task.provenance("align", sources, "prepare", "align", "template")
    store = ImageStore(task.out, task.subject.label, provenance)

    def compute() -> AlignedSeries:
        prepared = prepare_all(task, ledger)
        if not prepared:
            raise InputError("no session has a usable image", remedy="see the reasons given for each file")
        series = align(
            prepared, task.settings.align, template=task.settings.template, ages_years=ages, workers=task.workers
        )
        for problem in series.problems:
            ledger.note("align", "failed", problem)
        if not series.template_valid:
            ledger.note("align", "not assessable", series.template_reason)
        return series

    return ledger.stage(
        "align", provenance.fingerprint(), compute=compute, keep=store.keep_aligned, recall=store.recall_aligned
    )


def run_lesions(
    task: SubjectRun, ledger: Ledger, aligned: AlignedSeries | None
) -> tuple[LesionSeries | None, LesionChange | None]:
    """Segment lesions, measure their change, and carry the masks back to the scanner grids."""
    if aligned is None:
        ledger.note("lesions", "not assessable", "the images could not be aligned")
        return None, None
    ages = {session.label: session.age_years for session in task.subject.sessions}
    sources = {"align": ledger.stayed["align"], "ages": fingerprint_of(ages)} | task.lesion_mask_checksums()
    provenance = task.provenance("lesions", sources, "lesions")
    store = ImageStore(task.out, task.subject.label, provenance)
    lesions = ledger.stage(
        "lesions",
        provenance.fingerprint(),
        compute=lambda: find_lesions(task, ledger, aligned, ages),
        keep=store.keep_lesions,
        recall=store.recall_lesions,
    )
    change = None
    if lesions is not None:
        for label, why in lesions.not_assessable.items():
            ledger.note("lesions", "not assessable", why, label)
        provenance = task.provenance("change", {"lesions": ledger.stayed["lesions"]}, "change")
        store = replace(store, provenance=provenance)
        change = ledger.stage(
            "change",
            provenance.fingerprint(),
            compute=lambda: measure_change(aligned, lesions, task.settings.change, task.settings.lesions),
            keep=lambda result: store.keep_change(result, aligned.grid),
            recall=store.recall_change,
        )
    run_native(task, ledger, aligned, lesions, change)
    return lesions, change


def run_native(
    task: SubjectRun,
    ledger: Ledger,
    aligned: AlignedSeries,
    lesions: LesionSeries | None,
    change: LesionChange | None,
) -> None:
    """Write masks and change maps in each session's own grid."""
    if task.reports_only:
        return
    provenance = task.provenance("native", ledger.fingerprints("align", "lesions", "change"))
    store = ImageStore(task.out, task.subject.label, provenance)
    ledger.stage(
        "native",
        provenance.fingerprint(),
        compute=lambda: store.keep_native(aligned, lesions, change),
        keep=lambda kept: kept,
        recall=lambda payload: Kept((), payload),
    )


def run_report(
    task: SubjectRun,
    ledger: Ledger,
    aligned: AlignedSeries | None,
    lesions: LesionSeries | None,
    change: LesionChange | None,
    signs: LesionSigns | None,
    volumes: VolumeChange | None,
    spectra: tuple[SpectrumResult, ...],
    grids: tuple[GridResult, ...],
) -> tuple[Findings | None, SubjectResults]:
    """Answer the questions, and write tables, findings and the page."""

    def results() -> SubjectResults:
        statuses, version = tuple(ledger.statuses), hlhneuro.__version__
        return SubjectResults(
            task.subject,
            aligned,
            lesions,
            change,
            spectra,
            statuses,
            task.settings,
            version,
            signs=signs,
            volumes=volumes,
            grids=grids,
            clinical=read_clinical(task.study, task.subject),
        )

    def answer() -> Findings:
        imaging: tuple[Finding, ...] = ()
        if aligned is not None and lesions is not None and change is not None:
            imaging = lesion_findings(aligned, lesions, change, signs, volumes, task.settings.lesions)
        return assess(results(), imaging, find_patterns(task, ledger, spectra))

    findings = ledger.attempt("findings", answer)
    if findings is None:
        return None, results()
    ledger.note("findings", "done")
    name = f"sub-{task.subject.label}"
    provenance = task.provenance("findings", dict(ledger.stayed), "patterns", "report")

    def write() -> None:
        write_json(task.folder / f"{name}_findings.json", findings.to_json(), provenance)
        for table, frame in tables_of(results(), findings).items():
            if table == "findings":  # the account itself is the JSON file of that name
                continue
            write_table(task.folder / f"{name}_{table}.tsv", frame, columns_of(table, frame), provenance)
        write_report(results(), findings, task.folder / f"{name}_report.html")
        ledger.note("report", "done")

    ledger.attempt("report", write)
    return findings, results()
