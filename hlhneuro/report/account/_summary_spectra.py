"""What the spectra are consistent with, in sentences; or why that cannot be said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.account._said import Asked, Said
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import join_words, sentence

__all__ = ["said_of_spectra"]

PATTERNS = {
    "pattern_inflammatory_necrotic": "consistent with an inflammatory-necrotic pattern",
    "pattern_inflammatory": "consistent with an inflammatory or demyelinating pattern",
    "pattern_abscess": "consistent with abscess, an alert that has to be cleared",
    "pattern_neoplasm": "consistent with neoplasm or lymphoma, an alert that has to be cleared",
    "pattern_lactate_only": "abnormal in lactate alone",
    "pattern_naa_only": "abnormal in NAA alone",
    "pattern_normal": "without abnormal signs",
}
SIGNS = {
    "all_low": "NAA, creatine and choline all low",
    "naa_reduced": "low NAA",
    "tcho_reduced": "low choline",
    "tcho_raised": "raised choline",
    "cho_naa_raised": "raised choline over NAA",
    "glx_raised": "raised glutamate plus glutamine",
    "lactate": "raised lactate",
    "lipid": "mobile lipids",
    "acetate_succinate": "acetate or succinate",
    "amino_acids": "amino acids",
}
PARTS_OF_ALL_LOW = ("naa_reduced", "tcho_reduced")
COURSES = {
    Answer.PRESENT: "the course since ses-{before} speaks for necrosis, as NAA and creatine fall further with lipid",
    Answer.ABSENT: "the course since ses-{before} speaks against necrosis, as NAA and creatine recover",
}
RULES = "the rules are expert-set and not validated in HLH"


def said_of_spectra(results: SubjectResults, asked: Asked) -> Iterator[Said]:
    """Say what the spectra of the last visit that has some are consistent with, and what those before were."""
    missing = asked.about("spectra")
    if missing is not None:
        yield Said(sentence(missing.reason), (missing.code,))
        return
    spectral = [one for one in asked.findings if one.scope == "spectrum" or one.code in PATTERNS]
    labels = [session.label for session in results.subject.sessions]
    seen = [label for label in labels if any(one.sessions == (label,) for one in spectral)]
    if not seen:
        return
    last = [one for one in spectral if one.sessions == (seen[-1],)]
    yield from _visit(asked, seen[-1], last)
    earlier = [
        one for one in spectral if one.code in PATTERNS and one.sessions != (seen[-1],) and one.answer is Answer.PRESENT
    ]
    if earlier:
        told = [f"at ses-{one.sessions[0]} they were {PATTERNS[one.code]}" for one in earlier]
        yield Said(sentence(f"Before, {join_words(dict.fromkeys(told))}"), tuple(one.code for one in earlier))


def _visit(asked: Asked, label: str, found: Sequence[Finding]) -> Iterator[Said]:
    quality = [one for one in found if one.code == "spectrum_quality"]
    bad = [one for one in quality if one.answer is Answer.ABSENT]
    if bad and len(bad) == len(quality):
        yield Said(sentence(f"The spectra of ses-{label} could not be used: {bad[0].reason}"), ("spectrum_quality",))
        return
    for place in dict.fromkeys(one.subject_of for one in found if one.code in PATTERNS):
        yield _pattern(asked, label, place, found)
    if not any(one.code in PATTERNS for one in found):
        signs = _signs(found)
        told = f"show {join_words(SIGNS[one.code] for one in signs)}" if signs else "show no abnormal sign"
        yield Said(f"The spectra of ses-{label} {told}.", tuple(dict.fromkeys(one.code for one in signs)))
    if bad:
        names = join_words(one.subject_of for one in bad)
        yield Said(sentence(f"Of these, {names} could not be used: {bad[0].reason}"), ("spectrum_quality",))


def _pattern(asked: Asked, label: str, place: str, found: Sequence[Finding]) -> Said:
    """Say what the spectra of one voxel are consistent with, and by which signs."""
    patterns = [one for one in found if one.code in PATTERNS and one.subject_of == place]
    present = [one for one in patterns if one.answer is Answer.PRESENT]
    unknown = [one for one in patterns if one.answer is Answer.NOT_ASSESSABLE]
    signs = _signs(found)
    rests = [*present, *signs]
    if present:
        text = f"The spectra of ses-{label} ({place}) are {join_words(PATTERNS[one.code] for one in present)}"
        text += f", with {join_words(SIGNS[one.code] for one in signs)}" if signs else ""
    else:
        all_of_them = "fit none of the patterns that are looked for"
        text = (
            f"The spectra of ses-{label} ({place}) {all_of_them if not unknown else 'could be matched to no pattern'}"
        )
        text += f"; what stands out is {join_words(SIGNS[one.code] for one in signs)}" if signs else ""
        rests = [*patterns, *signs]
    courses = [one for one in asked.findings if one.code == "necrosis_course" and one.sessions[-1] == label]
    decided = [one for one in courses if one.answer in COURSES]
    if decided and len({one.answer for one in decided}) == 1:
        text += f"; {COURSES[decided[0].answer].format(before=decided[0].sessions[0])}"
        rests.append(decided[0])
    why = _why_unknown(found) if unknown and not present else None
    if why is not None:
        text += f"; whether all metabolites are low is not assessable: {why.reason}"
        rests.append(why)
    text += f" ({RULES})" if present or decided else ""
    return Said(f"{text}.", tuple(dict.fromkeys(one.code for one in rests)))


def _signs(found: Sequence[Finding]) -> list[Finding]:
    """Return the signs that any spectrum shows, each once; what "all low" says already is left out."""
    present = {one.code: one for one in found if one.code in SIGNS and one.answer is Answer.PRESENT}
    hidden = PARTS_OF_ALL_LOW if "all_low" in present else ()
    return [present[code] for code in SIGNS if code in present and code not in hidden]


def _why_unknown(found: Sequence[Finding]) -> Finding | None:
    return next((one for one in found if one.code == "all_low" and one.answer is Answer.NOT_ASSESSABLE), None)
