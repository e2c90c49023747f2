"""How often each territory is affected: on the template, as bars, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlhneuro.report import figures
from hlhneuro.report.cohort.section import Cohort, Pictures, Row
from hlhneuro.report.figures.cohort import territory_hits
from hlhneuro.report.gallery import Gallery
from hlhneuro.report.words import join_words

__all__ = ["facts", "pictures"]


def facts(cohort: Cohort) -> Row:
    """Return the count of patients for every territory and side, the most frequent first."""
    table = cohort.tables["territories"]
    if table.empty:
        return {"patients": 0, "rows": [], "spared": [], "affected": []}
    hits = territory_hits(cohort.tables).sort_values("patients", ascending=False, kind="stable")
    rows = [{str(name): value for name, value in row.items()} for row in hits.to_dict(orient="records")]
    return {
        "patients": int(table["subject"].nunique()),
        "rows": [row for row in rows if row["patients"]],
        "spared": [f"{row['territory']} {row['side']}" for row in rows if not row["patients"]],
    }


def pictures(cohort: Cohort, facts: Mapping[str, Any], gallery: Gallery) -> Pictures:
    """Draw the counts on the template and as bars."""
    told = join_words(f"{row['territory']} {row['side']} {row['patients']}" for row in facts["rows"]) or "none"
    return {
        "map": gallery.image(
            lambda: figures.territory_frequency_map(cohort.tables),
            "The territories of the MNI template, coloured by the count of patients in whom they are affected at any "
            "session. The colour fills the whole territory, wherever in it the lesions lie.",
            f"Axial and coronal slices of the template with territories coloured by count of patients: {told}.",
        ),
        "bars": gallery.vector(
            lambda: figures.territory_frequency(cohort.tables),
            "A territory counts once per patient and side, at whichever session it was affected.",
            f"Count of patients with a lesion in each territory: {told}.",
        ),
    }
