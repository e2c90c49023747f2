"""What a section of a patient's page is: facts that the account keeps, pictures, and a template that lays both out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hlhneuro.report.account.findings import Findings
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.results import SubjectResults

__all__ = ["Pictures", "Row", "Section"]

Row = dict[str, Any]
Pictures = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """One section of a page; ``templates/sections/<key>.html.j2`` lays it out.

    Parameters
    ----------
    key : str
        Anchor in the page, name of the template, and name of the facts in the account.
    title : str
    facts : callable
        Returns what the section tells, as plain JSON: numbers in the unit their name ends with, words, no picture.
        It is saved in the account, and every number of the page comes from there. None if there is no such section.
    pictures : callable
        Returns the figures, drawn from the results; what their captions say comes from the facts.
    layout : callable
        Puts what the account holds already (its findings, its sessions) into rows; nothing of it is saved again.
    """

    key: str
    title: str
    facts: Callable[[SubjectResults], Row | None] = lambda _results: {}
    pictures: Callable[[SubjectResults, Mapping[str, Any], Gallery], Pictures] = lambda _results, _facts, _gallery: {}
    layout: Callable[[Findings], Row] = lambda _findings: {}
