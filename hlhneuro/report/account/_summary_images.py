"""What the images show, in sentences: the last visit, what changed before it, and the volume of the brain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.account._said import Asked, Said, and_no
from hlhneuro.report.results import SubjectResults
from hlhneuro.report.words import days_between, join_words, plural, sentence, session_of, value_text

__all__ = ["SIGNS", "said_of_change", "said_of_images", "said_of_volumes"]

# What lesions show beside their volume, in the words of a sentence.
SIGNS = {
    "restricted_diffusion": "restricted diffusion",
    "raised_diffusion": "raised diffusion",
    "contrast_enhancement": "enhancement",
    "leptomeningeal_enhancement": "leptomeningeal enhancement",
    "susceptibility": "signs of haemorrhage or calcification",
    "t1_hypointensity": "low T1w signal",
    "mass_effect": "mass effect",
    "volume_loss": "fluid at former lesion sites",
}
# What became of lesions: what is said where there are such, and where there are none.
COURSES = {
    "new_lesions": ("new lesions", "appeared"),
    "reappeared_lesions": ("lesions that came back", "come back"),
    "enlarged_lesions": ("lesions that grew", "grown"),
    "merged_lesions": ("lesions that flowed together", ""),
    "split_lesions": ("lesions that fell apart", ""),
    "shrunk_lesions": ("lesions that shrank", "shrunk"),
    "resolved_lesions": ("lesions that resolved", "resolved"),
}
PLACES = {"posterior_fossa_involvement": "the posterior fossa", "striatal_involvement": "the striatum"}
STRUCTURES = {"brain": "the brain", "ventricle": "the ventricles"}
MISSING = ("alignment", "lesions")  # asked where a large part of the account is not there


def said_of_images(results: SubjectResults, asked: Asked) -> Iterator[Said]:
    """Say what the images of the last visit show; where that is not known, why, and what the visit before showed."""
    missing = asked.of(MISSING, answer=Answer.NOT_ASSESSABLE)
    if missing:
        # Without an alignment there are no lesions either: one reason is enough.
        yield Said(sentence(f"The images could not be assessed: {missing[0].reason}"), (missing[0].code,))
        return
    labels = [session.label for session in results.subject.sessions]
    for place, label in enumerate(reversed(labels)):
        load = asked.about("lesion_present", label)
        when = "At the last visit" if place == 0 else "At"
        name = f"{when} (ses-{label})" if place == 0 else f"{when} ses-{label}"
        if len(labels) == 1:
            name = f"At this visit (ses-{label})"
        if load is None:
            continue
        if load.answer is Answer.NOT_ASSESSABLE:
            yield Said(sentence(f"{name} lesions could not be assessed: {load.reason}"), (load.code,))
            continue
        yield from _visit(results, asked, load, name)
        return


def _visit(results: SubjectResults, asked: Asked, load: Finding, name: str) -> Iterator[Said]:
    label = load.sessions[0]
    if load.answer is Answer.ABSENT:
        yield Said(f"{name} no lesion was found.", (load.code,))
    else:
        yield _places(asked, load, name)
    session = results.lesions.session(label) if results.lesions else None
    if session is not None and session.confidence == "reduced":
        doubt = session.reason.replace(f"{label} ", "")
        yield Said(sentence(f"Confidence in this load is reduced: {doubt}"), (load.code,))
    yield from _literature(asked, label)
    signs = asked.of(SIGNS, label)
    shown = [one for one in signs if one.answer is Answer.PRESENT]
    none = [one for one in signs if one.answer is Answer.ABSENT]
    parts = [_shown(one) for one in shown]
    if none:
        parts.append(and_no([SIGNS[one.code] for one in none]))
    if parts:
        head = "The lesions show " if load.answer is Answer.PRESENT else "There is "
        said = join_words(parts[:-1]) + f", but {parts[-1]}" if shown and none else join_words(parts)
        yield Said(f"{head}{said}.", tuple(one.code for one in [*shown, *none]))


def _shown(sign: Finding) -> str:
    """Return a sign with the volume that shows it."""
    return SIGNS[sign.code] + (f" ({value_text(sign)})" if sign.unit == "ml" and sign.value else "")


def _places(asked: Asked, load: Finding, name: str) -> Said:
    """Say how much lesion there is and where."""
    label = load.sessions[0]
    rests = [load]
    lesions = asked.about("lesion_count", label)
    many = round(lesions.value) if lesions is not None and lesions.value else 0
    s = "s" if many == 1 else ""
    if lesions is not None:
        rests.append(lesions)
    text = f"{name} {plural(many, 'lesion') if many else 'the lesions'} measure{s} {value_text(load)}"
    count = asked.about("affected_territory_count", label)
    if count is not None and count.value is not None:
        rests.append(count)
        text += f" and {'reaches' if s else 'reach'} {plural(round(count.value), 'territory')}"
    places = asked.of(PLACES, label)
    rests += places
    in_them = [f"{PLACES[p.code]} ({value_text(p)})" for p in places if p.answer is Answer.PRESENT]
    free = [PLACES[p.code] for p in places if p.answer is Answer.ABSENT]
    told = [f"they involve {join_words(in_them)}"] if in_them else []
    told += [f"none was found in {' or '.join(free)}"] if free else []
    sides = asked.about("symmetric_involvement", label)
    if sides is not None and sides.answer is not Answer.NOT_ASSESSABLE and sides.value is not None:
        rests.append(sides)
        side = "left" if sides.value > 0 else "right"
        told.append(
            "left and right hold similar loads" if sides.answer is Answer.PRESENT else f"more lies on the {side}"
        )
    told[1:] = [*told[1:-1], *(f"and {one}" for one in told[1:][-1:])]
    return Said(text + (f"; {', '.join(told)}" if told else "") + ".", tuple(one.code for one in rests))


def _literature(asked: Asked, label: str) -> Iterator[Said]:
    """Quote the published cut-off beside the count, and say that it is no prognosis."""
    count = asked.about("affected_territory_count", label)
    if count is not None and count.value and count.threshold is not None:
        source = count.threshold_source.partition(": ")[0]
        yield Said(
            f"The literature's cut-off of {count.threshold:g} affected regions ({source}) counts by another list; it "
            "is quoted here and is no prognosis.",
            (count.code,),
        )


def said_of_change(results: SubjectResults, asked: Asked) -> Iterator[Said]:
    """Say what changed since the visit before, and over the whole course."""
    sessions = results.subject.sessions
    if len(sessions) < 2:
        return
    missing = asked.about("lesion_change")
    if missing is not None:
        if not asked.of(MISSING, answer=Answer.NOT_ASSESSABLE):  # that has been said
            yield Said(sentence(f"Change could not be assessed: {missing.reason}"), (missing.code,))
        return
    before, last, first = sessions[-2].label, sessions[-1].label, sessions[0].label
    load = asked.about("lesion_load_change", before, last)
    said = [_since(results, asked, load)] if load is not None else []
    whole = asked.about("lesion_load_change", first, last) if first != before else None
    if whole is not None and whole.answer is not Answer.NOT_ASSESSABLE:
        days = _days(results, first, last)
        text = f"over the whole course{f' of {days}' if days else ''} {_change(whole)}"
        if load is not None and load.answer is not Answer.NOT_ASSESSABLE:
            said = [Said(f"{said[0].text.removesuffix('.')}; {text}.", said[0].codes)]
        else:
            said.append(Said(sentence(text), (whole.code,)))
    yield from said


def _since(results: SubjectResults, asked: Asked, load: Finding) -> Said:
    before, last = load.sessions[0], load.sessions[-1]
    days = _days(results, before, last)
    since = f"Since ses-{before}, {days} before," if days else f"Since ses-{before}"
    if load.answer is Answer.NOT_ASSESSABLE:
        return Said(sentence(f"{since} change could not be assessed: {load.reason}"), (load.code,))
    courses = asked.of(COURSES, before, last)
    there = [one for one in courses if one.answer is Answer.PRESENT]
    never = [one for one in courses if one.answer is Answer.ABSENT and COURSES[one.code][1]]
    text = f"{since} {_change(load)}"
    if there:
        text += f": {join_words(f'{COURSES[one.code][0]} {value_text(one)}' for one in there)}"
    if never:
        words = [COURSES[one.code][1] for one in never]
        text += f"; none has {words[0] if len(words) == 1 else ', '.join(words[:-1]) + ' or ' + words[-1]}"
    return Said(f"{text}.", (load.code, *(one.code for one in [*there, *never])))


def _change(load: Finding) -> str:
    return f"the lesion load has changed by {value_text(load)}, {_beyond(load)} the measurement error"


def _beyond(finding: Finding) -> str:
    return "beyond" if finding.answer is Answer.PRESENT else "within"


def _days(results: SubjectResults, before: str, after: str) -> str:
    dates = [session.date if (session := session_of(results, label)) else None for label in (before, after)]
    days = days_between(dates[0], dates[1])
    return plural(days, "day") if days is not None else ""


def said_of_volumes(results: SubjectResults, asked: Asked) -> Iterator[Said]:
    """Say whether brain and ventricles changed beyond growth: over the whole course, or since the visit before."""
    sessions = results.subject.sessions
    if len(sessions) < 2:
        return
    spans = dict.fromkeys(((sessions[0].label, sessions[-1].label), (sessions[-2].label, sessions[-1].label)))
    for before, after in spans:
        found = {
            structure: one
            for structure in STRUCTURES
            if (one := asked.about(f"{structure}_volume_change", before, after)) and one.threshold is not None
        }
        if not found:
            continue
        text = f"From ses-{before} to ses-{after}, with growth taken off, {_volumes(found)}"
        if any("steroid-confounded" in one.reason for one in found.values()):
            text += "; steroids move such volumes (steroid-confounded)"
        yield Said(f"{text}.", tuple(one.code for one in found.values()))
        return


def _volumes(found: Mapping[str, Finding]) -> str:
    parts = [f"{STRUCTURES[name]} by {value_text(one)}" for name, one in found.items()]
    verdicts = [_beyond(one) for one in found.values()]
    verb = "has" if "brain" in found else "have"
    if len(set(verdicts)) == 1:
        words = f"{' and '.join(parts)}, {'both ' * (len(parts) == 2)}{verdicts[0]} error"
    else:
        words = ", and ".join(f"{part}, {verdict} error" for part, verdict in zip(parts, verdicts, strict=True))
    return words.replace(" by ", f" {verb} changed by ", 1)
