"""Where files lie on the user's machine is nobody else's business: paths as results may hold them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from hlhneuro.settings import Settings

__all__ = ["hider", "name_only"]


def hider(roots: Mapping[Path, str]) -> Callable[[str], str]:
    """Return a function that replaces folders in a text: by what `roots` says, and the user's home by ``~``.

    Parameters
    ----------
    roots : mapping of folder to text
        For example ``bids:raw:`` for the study, so that its files become BIDS URIs.
    """
    told = {Path.home(): "~/"} | {Path(folder): text for folder, text in roots.items()}
    forms = {str(form): text for folder, text in told.items() for form in _forms(folder) if len(form.parts) > 1}
    if not forms:
        return lambda text: text
    forms |= {form.replace("\\", "\\\\"): text for form, text in forms.items()}  # as Python quotes a path
    longest = sorted(forms, key=len, reverse=True)
    separator = rf"(?:{re.escape(os.sep)})+"
    pattern = re.compile(rf"(?<![\w.~-])({'|'.join(map(re.escape, longest))})(?:{separator}|(?![\w.-]))")
    return lambda text: pattern.sub(lambda match: forms[match[1]], text)


def _forms(folder: Path) -> set[Path]:
    """Return a folder as it was called and as it is: messages may hold either."""
    return {folder.expanduser().absolute(), folder.expanduser().resolve()}


def name_only(settings: Settings) -> Settings:
    """Return settings that name the user's files without saying where they lie."""
    template = replace(settings.template, path=Path(settings.template.path).name)
    patterns = replace(settings.patterns, norm_controls=Path(settings.patterns.norm_controls).name)
    return replace(settings, template=template, patterns=patterns)
