"""One self-contained page per patient, one per cohort: nothing is loaded from elsewhere, only its own viewer runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hlhneuro.report.account.findings import Findings
from hlhneuro.report.cohort import COHORT_SECTIONS, Cohort, cohort_account
from hlhneuro.report.gallery import Gallery, Script
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.sections import SECTIONS
from hlhneuro.report.words import age_text, number, percent, plural, quantity, sentence
from hlhneuro.settings import ReportSettings
from hlhneuro.study.derivatives import write_json, write_text

__all__ = ["write_group_report", "write_report"]

_STYLES = ("style.css", "viewer.css")

# Each try draws the images smaller; the last one carries no volumes, and stands whatever its size.
_TRIES = ((1.0, True), (0.75, True), (0.5, True), (0.5, False))


def write_report(results: SubjectResults, findings: Findings, path: str | Path) -> Path:
    """Write the page of one patient.

    The same results give the same page. It holds everything it shows; where a part is missing, it says why.

    Parameters
    ----------
    results : SubjectResults
    findings : Findings
        From `hlhneuro.report.assess`.
    path : path
        HTML file to write.
    """
    settings = results.settings.report
    page, kept = "", dict[str, Any]()
    for step, volumes in _TRIES:
        vectors = settings.spectra_as_svg if step == 1.0 else 0
        gallery = Gallery(round(settings.image_dpi * step), vectors, volumes, kept=kept)
        page = _subject_page(results, findings, gallery)
        if len(page) < settings.max_page_mb * 1e6:
            break
    return write_text(path, page)


def _subject_page(results: SubjectResults, findings: Findings, gallery: Gallery) -> str:
    """Lay out the account as it is saved, section by section, with pictures drawn from the results."""
    shown = []
    for section in SECTIONS:
        facts = findings.sections.get(section.key)
        if facts is None:
            continue
        body = _render(
            f"sections/{section.key}.html.j2",
            account=findings,
            facts=facts,
            layout=section.layout(findings),
            shown=section.pictures(results, facts, gallery),
        )
        contents = (section.key, section.title)
        shown.append({"key": section.key, "title": section.title, "contents": contents, "body": Markup(body)})
    return _page("subject.html.j2", gallery.scripts, account=findings, sections=shown)


def write_group_report(
    tables: Mapping[str, pd.DataFrame], path: str | Path, settings: ReportSettings | None = None
) -> Path:
    """Write the page of a cohort, and beside it as JSON every number that it shows.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The tables of `hlhneuro.report.tables_of`, of all subjects together; optionally ``status``, one row per subject,
        session and stage.
    path : path
        HTML file to write.
    settings : ReportSettings, optional
    """
    path = Path(path)
    near = path.absolute().parents[1] if len(path.absolute().parents) > 1 else path.parent
    pages = {page.parent.name.removeprefix("sub-"): page for page in near.glob("sub-*/sub-*_report.html")}
    links = {label: f"../{page.parent.name}/{page.name}" for label, page in pages.items()}
    cohort = Cohort.of(tables, settings, links)
    account = cohort_account(cohort)
    gallery = Gallery(cohort.settings.image_dpi, vectors_left=len(account) + len(account["groups"]["columns"]))
    shown = []
    for section in COHORT_SECTIONS:
        facts = account[section.key]
        body = _render(f"cohort/{section.key}.html.j2", facts=facts, shown=section.pictures(cohort, facts, gallery))
        contents = (section.key, section.title)
        shown.append({"key": section.key, "title": section.title, "contents": contents, "body": Markup(body)})
    write_json(path.with_suffix(".json"), {"sections": account})
    return write_text(path, _page("group.html.j2", account=account, sections=shown))


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("hlhneuro.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"age": age_text, "sentence": sentence}
    environment.globals |= {"number": number, "percent": percent, "plural": plural, "quantity": quantity}
    return environment


def _render(template: str, **view: Any) -> str:
    return _templates().get_template(template).render(**view)


def _page(template: str, scripts: Sequence[Script] = (), **view: Any) -> str:
    """Render a whole page with its style sheet, its scripts, and the policy that forbids everything else."""
    folder = files("hlhneuro.report").joinpath("templates")
    style = "\n".join(folder.joinpath(name).read_text(encoding="utf-8").strip() for name in _STYLES)
    # The policy names style sheet and scripts by hash: text from a study can neither run, nor style, nor load anything.
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    if scripts:
        policy += f"; script-src {' '.join(_hash(script.text) for script in scripts)}"
    inline = [Markup(script.text) for script in scripts if script.inline]
    return _render(template, style=Markup(style), policy=Markup(policy), scripts=inline, **view)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
