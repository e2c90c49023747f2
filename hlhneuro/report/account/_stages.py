"""Which stages of a run a finding comes from: their records name the sources, with checksums, and the settings."""

from __future__ import annotations

from collections.abc import Sequence

from hlhneuro.answers import Finding

__all__ = ["stages_of"]

# The last stage of those that the answer needs; its record names the ones before it.
IMAGING = {
    "lesion_present": "lesions",
    "oedema": "lesions",
    "lesion_count": "change",
    "posterior_fossa_involvement": "change",
    "striatal_involvement": "change",
    "affected_territory_count": "change",
    "symmetric_involvement": "change",
    "new_lesions": "change",
    "reappeared_lesions": "change",
    "enlarged_lesions": "change",
    "shrunk_lesions": "change",
    "resolved_lesions": "change",
    "merged_lesions": "change",
    "split_lesions": "change",
    "lesion_load_change": "change",
    "contrast_enhancement": "signs",
    "leptomeningeal_enhancement": "signs",
    "restricted_diffusion": "signs",
    "raised_diffusion": "signs",
    "t1_hypointensity": "signs",
    "susceptibility": "signs",
    "mass_effect": "signs",
    "volume_loss": "signs",
    "brain_volume_change": "volumes",
    "ventricle_volume_change": "volumes",
}
ALIGNMENT = ("contrasts_aligned", "session_aligned", "template_aligned", "template_valid")


def stages_of(finding: Finding, kind: str, others: Sequence[Finding]) -> tuple[str, ...]:
    """Return the stages whose records a finding rests on; the study's own facts have the record ``study``.

    Parameters
    ----------
    finding : Finding
    kind : str
        ``imaging``, ``spectra``, ``clinical`` or ``study``.
    others : sequence of Finding
        All findings of the patient: a pattern rests on every spectrum of its session.
    """
    if kind == "imaging":
        return (IMAGING[finding.code],) if finding.code in IMAGING else ()
    if finding.code in ALIGNMENT:
        return ("align",)
    if kind != "spectra":
        return ("study",)
    spectra = {(one.sessions[0], one.subject_of): None for one in others if one.scope == "spectrum" and one.sessions}
    own = [(session, name) for session, name in spectra if session in finding.sessions]
    if any(name == finding.subject_of for _, name in own):
        own = [(session, name) for session, name in own if name == finding.subject_of]
    return tuple(f"spectra_{session}_{name}" for session, name in own)
