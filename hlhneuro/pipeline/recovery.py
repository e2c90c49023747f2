"""Put known lesions into a patient's own images, run the same stages, and say what came back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import nibabel
import numpy as np
import pandas as pd
from scipy import ndimage

import hlhneuro
from hlhneuro.errors import NotAssessable, StudyError
from hlhneuro.imaging import AlignedSeries, load_volume
from hlhneuro.imaging.alignment import BoolImage
from hlhneuro.imaging.resampling import resample_mask
from hlhneuro.lesions import LesionSeries
from hlhneuro.phantom.recovery import KnownLesion, choose_places, paint
from hlhneuro.pipeline.recovery_table import RECOVERY_COLUMNS, compare_runs
from hlhneuro.pipeline.runs import choose_subjects, run
from hlhneuro.pipeline.saved import load_subject
from hlhneuro.report import StageStatus
from hlhneuro.settings import Settings
from hlhneuro.study import Provenance, Study, Subject, file_sha256, open_study, write_table

__all__ = ["Recovery", "recover"]

_nib = cast("Any", nibabel)  # its image classes are not annotated


@dataclass(frozen=True)
class Recovery:
    """What came back: one row per known lesion (columns of `RECOVERY_COLUMNS`), and what could not be done."""

    table: pd.DataFrame
    statuses: tuple[StageStatus, ...]
    out: Path

    @property
    def exit_status(self) -> int:
        """0 all well, 1 something could not be done."""
        return int(any(status.state in {"failed", "not assessable"} for status in self.statuses))

    @property
    def troubles(self) -> tuple[StageStatus, ...]:
        """What could not be done."""
        return tuple(status for status in self.statuses if status.state in {"failed", "not assessable"})


def recover(
    study: Study | str | Path,
    out: str | Path,
    *,
    participants: Sequence[str] = (),
    settings: Settings | None = None,
    jobs: int = 1,
    on_status: Callable[[StageStatus], None] = lambda status: None,
) -> Recovery:
    """Put known lesions into the last session of each subject and measure them like any other.

    The study is run as it is (``OUT/as_it_is``), copied with lesions painted into the raw FLAIR, T2w and T1w of the
    last session (``OUT/study``), and run again (``OUT/with_lesions``). The raw study is never written to. Diffusion
    images and spectra are left as they are.

    Parameters
    ----------
    study : Study or path
    out : path
        Output folder; made if it is not there. Stages that are there already are not computed again.
    participants : sequence of str
        Labels to restrict it to; empty for all.
    settings : Settings, optional
        `Settings.recovery` says what is put in.
    jobs : int
    on_status : callable
        Called with each stage status as it comes.

    Returns
    -------
    Recovery
        Also written to ``OUT/recovery.tsv``.

    Raises
    ------
    StudyError
        If the call or the study as a whole is wrong, or a contrast or volume of `Settings.recovery` is not positive.
    """
    out, settings = Path(out), settings or Settings()
    _check(settings)
    study = study if isinstance(study, Study) else open_study(study)
    subjects = choose_subjects(study, participants, ())
    labels = [subject.label for subject in subjects]
    first = run(study, out / "as_it_is", participants=labels, settings=settings, jobs=jobs, on_status=on_status)
    copy = _copy_study(study, labels, out / "study")
    statuses: list[StageStatus] = list(first.troubles)
    known: dict[str, tuple[str, tuple[KnownLesion, ...]]] = {}
    for number, subject in enumerate(subjects):
        try:
            known[subject.label] = _put_in(study, copy, subject, out / "as_it_is", settings, number)
        except NotAssessable as error:
            statuses.append(StageStatus(subject.label, "", "recovery", "not assessable", str(error)))
            on_status(statuses[-1])
    rows: list[dict[str, object]] = []
    if known:
        second = run(
            copy, out / "with_lesions", participants=list(known), settings=settings, jobs=jobs, on_status=on_status
        )
        statuses += [s for s in second.troubles if s not in statuses]
        for label, (session, lesions) in known.items():
            before, after = (load_subject(out / name, label) for name in ("as_it_is", "with_lesions"))
            rows += compare_runs(before, after, label, session, lesions)
    table = pd.DataFrame(rows, columns=list(RECOVERY_COLUMNS))
    sources = {
        f"bids::{path.relative_to(out).as_posix()}": file_sha256(path)
        for label in known
        for path in [out / "with_lesions" / f"sub-{label}" / f"sub-{label}_lesions.tsv"]
        if path.is_file()
    }
    provenance = Provenance("recovery", sources, settings.to_dict()["recovery"], hlhneuro.__version__)
    write_table(out / "recovery.tsv", table, RECOVERY_COLUMNS, provenance)
    return Recovery(table, tuple(statuses), out)


def _check(settings: Settings) -> None:
    for name in ("volumes_ml", "contrast"):
        value = getattr(settings.recovery, name)
        if not np.size(value) or np.min(value) <= 0:
            raise StudyError("what is put in has to be there", field=f"recovery.{name}", found=value,
                             remedy="give positive numbers")  # fmt: skip


def _copy_study(study: Study, labels: Sequence[str], folder: Path) -> Study:
    """Copy tables and the chosen subjects, never linking to the raw files: some of them are written over."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for path in study.root.iterdir():
        if path.is_file():
            shutil.copy2(path, folder / path.name)
    for label in labels:
        shutil.copytree(study.root / f"sub-{label}", folder / f"sub-{label}")
    return open_study(folder)


def _put_in(
    study: Study, copy: Study, subject: Subject, results: Path, settings: Settings, number: int
) -> tuple[str, tuple[KnownLesion, ...]]:
    """Paint lesions into the copied images of the last usable session; return its label and what was put where."""
    found = load_subject(results, subject.label)
    if found.aligned is None or found.lesions is None or not found.lesions.sessions:
        raise NotAssessable(
            "lesions could not be assessed in the subject's own images", remedy="see why in as_it_is/status.tsv"
        )
    label = found.lesions.sessions[-1].label
    images = found.aligned.session(label)
    session = next(visit for visit in subject.sessions if visit.label == label)
    if images is None:
        raise NotAssessable("the last session could not be aligned", remedy="see why in as_it_is/status.tsv")
    white = found.lesions.tissue["wm"] > settings.recovery.white_probability
    lesions = choose_places(
        _free(found.aligned, found.lesions, settings),
        white,
        found.aligned.grid,
        settings.recovery.volumes_ml,
        settings.recovery.contrast,
        gap_mm=settings.recovery.gap_mm,
        seed=settings.recovery.seed + number,
    )
    if not lesions:
        raise NotAssessable(
            "no normal white matter is left that could hold a lesion", remedy="give smaller recovery.volumes_ml"
        )
    effects = {"FLAIR": 1.0, "T2w": settings.lesions.t2w_effect, "T1w": -settings.lesions.t1w_effect}
    for scan in session.images:
        effect = effects.get(scan.contrast.removeprefix("ce-gadolinium_"))
        to_subject = images.to_subject.get(scan.contrast)
        if effect is None or to_subject is None:
            continue
        volume = load_volume(scan.path, scan.contrast)
        tissue = resample_mask(white, found.aligned.grid, volume.grid, to_subject)
        painted = paint(volume, to_subject, tissue, lesions, effect)
        target = copy.root / scan.path.relative_to(study.root)
        _nib.save(_nib.Nifti1Image(painted.data, painted.affine), target)
    return label, lesions


def _free(aligned: AlignedSeries, lesions: LesionSeries, settings: Settings) -> BoolImage:
    """Return where a lesion may be: tissue below the brain's surface, away from every lesion of every session."""
    edges = aligned.grid.voxel_size_mm
    free = lesions.tissue["csf"] < 1.0 - settings.recovery.tissue_probability
    free &= ndimage.distance_transform_edt(aligned.brain_mask, sampling=edges) > settings.recovery.depth_mm
    there = np.any([session.mask for session in lesions.sessions], axis=0)
    if there.any():
        free &= ndimage.distance_transform_edt(~there, sampling=edges) > settings.recovery.gap_mm
    for session in aligned.sessions:
        for covered in session.coverage.values():
            free &= covered
    return np.asarray(free)
