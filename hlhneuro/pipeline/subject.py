"""The stages of one subject, in order: each from disk if it is still valid, computed and kept otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from threadpoolctl import threadpool_limits

from hlhneuro.answers import Finding
from hlhneuro.errors import InputError
from hlhneuro.imaging import AlignedSeries, align
from hlhneuro.lesions import LesionChange, LesionSeries, lesion_findings, measure_change
from hlhneuro.pipeline.ledger import Ledger, fingerprint_of
from hlhneuro.pipeline.lesion_masks import find_lesions
from hlhneuro.pipeline.mrsi import run_mrsi
from hlhneuro.pipeline.preparing import prepare_all
from hlhneuro.pipeline.spectra import run_spectra
from hlhneuro.pipeline.spectral_patterns import find_patterns
from hlhneuro.pipeline.stores.images import ImageStore
from hlhneuro.pipeline.stores.signs import run_signs
from hlhneuro.pipeline.stores.study import forget_told, keep_told
from hlhneuro.pipeline.stores.volumes import run_volumes
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
from hlhneuro.study import write_json, write_table

__all__ = ["run_stages", "run_subject"]


def run_subject(task: SubjectRun, notify: Callable[[StageStatus], None] = lambda status: None) -> Ledger:
    """Run all stages of one subject and write its results; return the account of what was done.

    Where reports alone are made and the saved results cannot be used, the account says why, and the pages that are
    there stay as they are.
    """
    ledger = Ledger(task.folder, task.subject.label, reports_only=task.reports_only, notify=notify, hide=task.hide)
    if task.outdated:
        ledger.note("study", "failed", task.outdated)
    if not task.reports_only:
        forget_told(task.folder)
    try:
        with threadpool_limits(limits=1):  # the order of sums, and so the last bit, depends on the number of threads
            results = run_stages(task, ledger)
            if not task.reports_only:
                told = keep_told(task.folder, task.told, task.settings)
                results = replace(results, subject=told.subject, clinical=told.clinical)
            run_report(task, ledger, results)
    except InputError as error:
        ledger.note("report", "failed", str(error))
    return ledger


def run_stages(task: SubjectRun, ledger: Ledger) -> SubjectResults:
    """Return what the stages of one subject give, each computed or read back."""
    aligned = run_alignment(task, ledger)
    lesions, change = run_lesions(task, ledger, aligned)
    signs = run_signs(task, ledger, aligned, lesions, change)
    volumes = run_volumes(task, ledger, aligned, lesions)
    spectra = run_spectra(task, ledger, aligned, lesions)
    grids = run_mrsi(task, ledger, aligned, lesions)
    for problem in task.clinical.problems:  # one cell or table that cannot be used; the rest of the record is
        ledger.note("clinical", "failed", problem)
    told, statuses = task.told, tuple(ledger.statuses)
    return SubjectResults(
        *(told.subject, aligned, lesions, change, spectra, statuses, told.settings, told.version),
        signs=signs,
        volumes=volumes,
        grids=grids,
        clinical=told.clinical,
    )


def run_alignment(task: SubjectRun, ledger: Ledger) -> AlignedSeries | None:
    """Read, prepare and align all images of the subject."""
    images = [scan for session in task.subject.sessions for scan in session.images]
    if not images:
        ledger.note("align", "not assessable", "the subject has no image")
        return None
    ages = {session.label: session.age_years for session in task.subject.sessions}
    sources = task.checksums(*(scan.path for scan in images)) | task.mask_checksums()
    sources |= task.template_checksums() | {"ages": fingerprint_of(ages)}
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
    provenance = task.provenance("native", ledger.fingerprints("align", "lesions", "change"))
    store = ImageStore(task.out, task.subject.label, provenance)
    ledger.stage(
        "native",
        provenance.fingerprint(),
        compute=lambda: store.keep_native(aligned, lesions, change),
        keep=lambda kept: kept,
        recall=None,
    )


def run_report(task: SubjectRun, ledger: Ledger, results: SubjectResults) -> None:
    """Answer the questions, and write tables, findings and the page."""

    def answer() -> Findings:
        imaging: tuple[Finding, ...] = ()
        aligned, lesions, change = results.aligned, results.lesions, results.change
        if aligned is not None and lesions is not None and change is not None:
            settings = task.settings
            imaging = lesion_findings(
                aligned, lesions, change, results.signs, results.volumes, settings.lesions, settings.signs
            )
        spectral = find_patterns(task, ledger, results.spectra)
        return assess(replace(results, statuses=tuple(ledger.statuses)), imaging, spectral)

    findings = ledger.attempt("findings", answer)
    if findings is None:
        return
    ledger.note("findings", "done")
    ledger.attempt("report", lambda: write_all(task, ledger, results, findings))


def write_all(task: SubjectRun, ledger: Ledger, results: SubjectResults, findings: Findings) -> None:
    """Write the account, its tables and the page."""
    results = replace(results, statuses=tuple(ledger.statuses))
    name = f"sub-{task.subject.label}"
    provenance = task.provenance("findings", dict(ledger.stayed), "patterns", "report")
    write_json(task.folder / f"{name}_findings.json", findings.to_json(), provenance)
    for table, frame in tables_of(results, findings).items():
        if table != "findings":  # the account itself is the JSON file of that name
            write_table(task.folder / f"{name}_{table}.tsv", frame, columns_of(table, frame), provenance)
    write_report(results, findings, task.folder / f"{name}_report.html")
    ledger.note("report", "done")
