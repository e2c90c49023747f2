"""Which contrasts of a session lesions can be segmented on, and how far that can be trusted."""

from __future__ import annotations

from hlhneuro.imaging.alignment import AlignedSeries, AlignedSession
from hlhneuro.settings import LesionSettings

__all__ = ["confidence", "usable_contrasts"]


def usable_contrasts(series: AlignedSeries, session: AlignedSession, settings: LesionSettings) -> tuple[str, ...] | str:
    """Return the contrasts to segment on (the brightest witness first), or why there are none."""
    brain = series.brain_mask
    covered = {
        contrast: float(session.coverage[contrast][brain].mean()) if contrast in session.coverage else 1.0
        for contrast in ("FLAIR", "T2w", "T1w")
        if contrast in session.volumes
    }
    usable = tuple(c for c, share in covered.items() if share >= settings.minimum_coverage)
    if usable[:1] in (("FLAIR",), ("T2w",)):
        return usable
    if not covered:
        return "no FLAIR, T2w or T1w image of this session is usable; acquire a FLAIR"
    thin = ", ".join(f"{c} covers {share:.0%} of the brain" for c, share in covered.items() if c not in usable)
    if thin:
        return f"{thin}: too little to segment lesions; a FLAIR or T2w of the whole brain would supply it"
    return "T1w alone does not show most lesions (they are isointense or faintly dark); a FLAIR or T2w would supply it"


def confidence(
    series: AlignedSeries,
    session: AlignedSession,
    contrasts: tuple[str, ...],
    age_years: float | None,
    settings: LesionSettings,
    doubt: str = "",
) -> tuple[str, str]:
    """Return ``full`` or ``reduced``, and what it rests on or what reduces it."""
    doubts = [] if series.template_valid else [series.template_reason]
    doubts += [doubt] if doubt else []
    if contrasts[0] != "FLAIR":
        doubts.append(
            "no FLAIR: beside fluid, and in most of the cortex, a lesion cannot be told from it and is not looked for"
        )
    if age_years is None:
        doubts.append("age unknown: below 24 months immature myelin looks like a lesion")
    elif age_years < settings.young_years:
        doubts.append(f"age {age_years:.1f} years: immature myelin is bright on T2w and FLAIR before 24 months")
    if contrasts == ("FLAIR",):
        doubts.append("FLAIR alone: no second contrast confirms a bright spot")
    if session.problems:
        doubts.append("; ".join(session.problems))
    if doubts:
        return "reduced", "; ".join(doubts)
    return "full", f"rests on {', '.join(contrasts)}"
