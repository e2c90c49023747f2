"""What one subject's run is told, and what its results are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import hlhneuro
from hlhneuro.imaging import template_checksums
from hlhneuro.pipeline.places import hider, name_only
from hlhneuro.pipeline.stores.study import Told, recall_told
from hlhneuro.settings import Settings
from hlhneuro.study import (
    BrainMask,
    ClinicalRecord,
    LesionMask,
    Provenance,
    Study,
    Subject,
    bids_uri,
    file_sha256,
    read_clinical,
)

__all__ = ["SubjectRun"]


@dataclass(frozen=True)
class SubjectRun:
    """What one subject's run is told.

    Parameters
    ----------
    study : Study
        Only its root is used; where reports alone are made it need not be there.
    subject : Subject
    out : path
        Output root.
    settings : Settings
    workers : int
        Threads the engines may use; the results do not depend on it.
    reports_only : bool
        Make reports from what was saved, whatever it was made from.
    brain_masks : mapping of session label to BrainMask
    lesion_masks : mapping of session label to LesionMask
        Those that the user supplies.
    saved : Told, optional
        What the study told when the saved results were made; read from the study if left out.
    outdated : str
        What the study tells otherwise now.
    """

    study: Study
    subject: Subject
    out: Path
    settings: Settings
    workers: int = 1
    reports_only: bool = False
    brain_masks: Mapping[str, BrainMask] = field(default_factory=dict)
    lesion_masks: Mapping[str, LesionMask] = field(default_factory=dict)
    saved: Told | None = None
    outdated: str = ""

    @classmethod
    def of_saved(cls, out: Path, label: str, changed: Settings | None = None, outdated: str = "") -> SubjectRun:
        """Return the run that makes the reports of a subject again, from what is saved alone.

        Parameters
        ----------
        out : path
        label : str
        changed : Settings, optional
            Its `report` and `patterns` take the place of those of the run: nothing that is saved depends on them.
        outdated : str

        Raises
        ------
        InputError
            If there are no complete results of the subject.
        """
        folder = out / f"sub-{label}"
        told = recall_told(folder)
        settings = told.settings
        if changed is not None:
            settings = replace(settings, report=changed.report, patterns=changed.patterns)
        elif (controls := folder / "stages" / settings.patterns.norm_controls).is_file():
            settings = replace(settings, patterns=replace(settings.patterns, norm_controls=str(controls)))
        nowhere = Study(Path(), "", (told.subject,))
        return cls(nowhere, told.subject, out, settings, reports_only=True, saved=told, outdated=outdated)

    @cached_property
    def clinical(self) -> ClinicalRecord:
        """What is known of the patient beside images and spectra."""
        return self.saved.clinical if self.saved else read_clinical(self.study, self.subject)

    @cached_property
    def told(self) -> Told:
        """What a report needs of the study, without where it lies."""
        if self.saved is not None:
            return replace(self.saved, settings=name_only(self.settings))
        return Told.of(
            self.subject, self.clinical, self.settings, hlhneuro.__version__, root=self.study.root, hide=self.hide
        )

    @property
    def hide(self) -> Callable[[str], str]:
        """Makes BIDS URIs of the paths in a sentence, so that no result tells where files lie on this machine."""
        roots = {mask.path.parents[_depth(mask.path)]: "bids:brainmasks:" for mask in self.brain_masks.values()}
        roots |= {mask.path.parents[_depth(mask.path)]: "bids:lesionmasks:" for mask in self.lesion_masks.values()}
        for given in (self.settings.template.path, self.settings.patterns.norm_controls):
            roots |= {Path(given).expanduser().absolute().parent: ""} if given else {}
        return hider(roots | ({} if self.reports_only else {self.study.root: "bids:raw:"}) | {self.out: "bids::"})

    @property
    def folder(self) -> Path:
        """Output folder of the subject."""
        return self.out / f"sub-{self.subject.label}"

    def provenance(self, stage: str, sources: Mapping[str, str], *settings: str) -> Provenance:
        """Say what a stage's files are made from: source checksums and the settings of the named stages."""
        named = name_only(self.settings)
        chosen = {name: asdict(getattr(named, name)) for name in settings}
        return Provenance(stage, sources, chosen, hlhneuro.__version__)

    def checksums(self, *paths: Path) -> dict[str, str]:
        """Return BIDS URI -> sha256 of raw files (unreadable ones are said to be so)."""
        if self.reports_only:
            return {}
        return {bids_uri(self.study.root, path): checksum(path) for path in paths}

    def template_checksums(self) -> dict[str, str]:
        """Return name -> sha256 of the files of a template that the user brings."""
        return {} if self.reports_only else template_checksums(self.settings.template)

    def mask_checksums(self) -> dict[str, str]:
        """Return BIDS URI -> sha256 of the brain masks that the user supplies."""
        return {f"bids:brainmasks:{_inside(mask.path)}": checksum(mask.path) for mask in self.brain_masks.values()}

    def lesion_mask_checksums(self) -> dict[str, str]:
        """Return BIDS URI -> sha256 of the lesion masks that the user supplies."""
        return {f"bids:lesionmasks:{_inside(mask.path)}": checksum(mask.path) for mask in self.lesion_masks.values()}


def checksum(path: Path) -> str:
    """Return the sha256 of a file, or that it cannot be read."""
    try:
        return file_sha256(path)
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _inside(path: Path) -> str:
    """Return the part of a derivative's path from its subject on: where its folder lies does not matter."""
    return path.relative_to(path.parents[_depth(path)]).as_posix()


def _depth(path: Path) -> int:
    """Return which parent of a derivative is the folder that holds the subjects."""
    return next(n + 1 for n, parent in enumerate(path.parents) if parent.name.startswith("sub-"))
