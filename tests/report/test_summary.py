"""The summary reads as an account, and every number in it is that of a finding it names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hlhneuro.answers import Answer, Finding
from hlhneuro.report.account.assessment import assess
from hlhneuro.report.account.summary import summary, summary_said
from hlhneuro.report.words import plural
from tests.report.walker import Branch, Tokens

PRESENT, ABSENT, OPEN = Answer
SPACE = "\u00a0"


def finding(code, answer, value=None, sd=None, unit="ml", sessions=("02",), of="", why="it was measured", **more):
    scope = "interval" if len(sessions) > 1 else "session"
    return Finding(code, f"{code}?", answer, why, scope, sessions, of, value, sd, unit, **more)


LAST = (
    finding("lesion_present", PRESENT, 31.674, 0.694),
    finding("lesion_count", PRESENT, 14.0, 0.2, ""),
    finding("affected_territory_count", PRESENT, 26.0, 0.1, "", threshold=4.5, threshold_source="A paper 2024: x"),
    finding("posterior_fossa_involvement", PRESENT, 6.307, 0.14),
    finding("striatal_involvement", ABSENT, 0.0, 0.0),
    finding("symmetric_involvement", ABSENT, -0.61, 0.02, ""),
    finding("restricted_diffusion", PRESENT, 4.327, 0.02),
    finding("contrast_enhancement", ABSENT),
    finding("susceptibility", OPEN, why="no T2starw image; acquiring one would show blood"),
    finding("mass_effect", ABSENT, 0.4, 1.0, "mm"),
)
BOTH = ("01", "02")
CHANGE = (
    finding("lesion_load_change", PRESENT, 18.735, 0.409, sessions=BOTH, threshold=0.8),
    finding("new_lesions", PRESENT, 5.761, 0.15, sessions=BOTH),
    finding("resolved_lesions", ABSENT, 0.0, sessions=BOTH),
    finding("shrunk_lesions", ABSENT, 0.0, sessions=BOTH),
)
BRAIN = (
    finding("brain_volume_change", PRESENT, -1.52, 0.28, "%", BOTH, threshold=0.55, why="steroid-confounded: they do"),
    finding("ventricle_volume_change", ABSENT, -0.6, 1.0, "%", BOTH, threshold=2.0),
)
NECROTIC = (
    finding("spectrum_quality", PRESENT, 30.0, unit="", of="acq-short"),
    finding("pattern_inflammatory_necrotic", PRESENT, unit="", of="svs"),
    finding("pattern_normal", ABSENT, unit="", of="svs"),
    replace(finding("all_low", PRESENT, 0.35, 0.06, "", of="acq-short"), scope="spectrum"),
    replace(finding("naa_reduced", PRESENT, 0.35, 0.06, "", of="acq-short"), scope="spectrum"),
    replace(finding("lipid", PRESENT, 9.0, 0.7, "", of="acq-short"), scope="spectrum"),
    finding("necrosis_course", PRESENT, unit="", sessions=BOTH, of="acq-short"),
)


@pytest.fixture
def patient(results):
    """Two visits, of which only the findings are known."""
    subject = replace(results.subject, sessions=results.subject.sessions[:2])
    return replace(results, subject=subject, aligned=None, lesions=None, change=None, spectra=(), statuses=())


def text_of(results, findings):
    return " ".join(summary(results, findings)).replace(SPACE, " ")


def test_a_full_account_reads_in_this_order(patient):
    told = [sentence.replace(SPACE, " ") for sentence in summary(patient, (*LAST, *CHANGE, *BRAIN, *NECROTIC))]
    assert told == [
        "Patient 01, male, was examined twice, from 2019-03-04 (4.5 years) to 2019-04-08 (4.6 years), 35 days apart.",
        "At the last visit (ses-02) 14 lesions measure 31.67 ± 0.69 ml and reach 26 territories; they involve the "
        "posterior fossa (6.31 ± 0.14 ml), none was found in the striatum, and more lies on the right.",
        "The literature's cut-off of 4.5 affected regions (A paper 2024) counts by another list; it is quoted here and "
        "is no prognosis.",
        "The lesions show restricted diffusion (4.327 ± 0.020 ml), but no enhancement and no mass effect.",
        "Since ses-01, 35 days before, the lesion load has changed by +18.73 ± 0.41 ml, beyond the measurement error: "
        "new lesions +5.76 ± 0.15 ml; none has shrunk or resolved.",
        "From ses-01 to ses-02, with growth taken off, the brain has changed by −1.52 ± 0.28 %, beyond error, and the "
        "ventricles by −0.6 ± 1.0 %, within error; steroids move such volumes (steroid-confounded).",
        "The spectra of ses-02 (svs) are consistent with an inflammatory-necrotic pattern, with NAA, creatine and "
        "choline all low and mobile lipids; the course since ses-01 speaks for necrosis, as NAA and creatine fall "
        "further with lipid (the rules are expert-set and not validated in HLH).",
        "Not assessable at ses-02: signs of haemorrhage or calcification (no T2starw image; acquiring one would show "
        "blood).",
    ]


def test_every_number_is_that_of_a_finding_the_sentence_rests_on(patient):
    findings = (*LAST, *CHANGE, *BRAIN, *NECROTIC)
    known = {one.code for one in findings} | {"follow_up"}
    account = assess(patient, findings).to_json()
    for said in summary_said(patient, findings):
        assert set(said.codes) <= known
        assert said.codes
        rests = [one.to_dict() for one in findings if one.code in said.codes]
        branch = Branch(
            rests, account["sessions"], account["intervals"], ["ses-01 ses-02", "twice"], patient.subject.label
        )
        assert [token.text for token in Tokens(said.text) if not branch.holds(token)] == []


def test_the_account_keeps_what_was_said(patient):
    account = assess(patient, LAST)
    assert account.summary == summary(patient, account.findings)


def test_no_lesion_and_a_change_within_error_are_said_too(patient):
    free = (finding("lesion_present", ABSENT, 0.0), finding("restricted_diffusion", ABSENT))
    small = finding("lesion_load_change", ABSENT, 0.4, 0.5, sessions=BOTH)
    text = text_of(patient, (*free, small))
    assert "At the last visit (ses-02) no lesion was found. There is no restricted diffusion." in text
    assert "has changed by +0.40 ± 0.50 ml, within the measurement error." in text


def test_the_visit_before_speaks_where_the_last_one_cannot(patient):
    before = replace(LAST[0], sessions=("01",))
    text = text_of(patient, (before, finding("lesion_present", OPEN, why="it needs a FLAIR")))
    assert "At the last visit (ses-02) lesions could not be assessed: it needs a FLAIR." in text
    assert "At ses-01 the lesions measure 31.67 ± 0.69 ml." in text


def test_what_is_open_is_told_once_for_each_reason_with_what_would_supply_it(patient):
    scan = "needs a 3-D T1w of one protocol"
    names = ("brain_volume_change", "ventricle_volume_change")
    volumes = [finding(name, OPEN, unit="%", sessions=BOTH, why=scan) for name in names]
    text = text_of(patient, (LAST[0], finding("raised_diffusion", OPEN, why="no ADC map"), *volumes))
    assert text.endswith(
        "Not assessable at ses-02: raised diffusion (no ADC map); change of brain volume and change of ventricle "
        f"volume ({scan})."
    )


def test_reduced_confidence_is_said_with_its_reason(patient, results):
    reduced = replace(results.lesions.sessions[1], confidence="reduced", reason="02 FLAIR: the head is cut")
    lesions = replace(results.lesions, sessions=(reduced,))
    assert "Confidence in this load is reduced: FLAIR: the head is cut." in text_of(
        replace(patient, lesions=lesions), LAST
    )


def test_one_visit_has_no_change_and_one_lesion_place(patient):
    once = replace(patient, subject=replace(patient.subject, sex=None, sessions=patient.subject.sessions[1:]))
    ones = (replace(LAST[1], value=1.0), replace(LAST[2], value=1.0))
    text = text_of(once, (LAST[0], *ones, *CHANGE))
    assert text.startswith("Patient 01 was examined once, on 2019-04-08 (4.6 years). At this visit (ses-02) 1 lesion ")
    assert "and reaches 1 territory." in text
    assert "Since" not in text


def test_a_longer_course_is_told_as_a_whole_as_well(results):
    whole = finding("lesion_load_change", PRESENT, -4.0, 0.5, sessions=("01", "03"))
    step = finding("lesion_load_change", OPEN, why="no contrast at both", sessions=("02", "03"))
    text = text_of(replace(results, lesions=None), (whole, step))
    assert "examined 3 times" in text
    assert "Since ses-02, 84 days before, change could not be assessed: no contrast at both." in text
    assert "Over the whole course of 119 days the lesion load has changed by −4.00 ± 0.50 ml" in text
    both = text_of(replace(results, lesions=None), (whole, replace(step, answer=ABSENT, value=0.4)))
    assert "within the measurement error; over the whole course of 119 days the lesion load has changed by" in both


def test_unknown_dates_and_ages_are_no_numbers(patient):
    sessions = tuple(replace(session, date=None, age_years=None) for session in patient.subject.sessions)
    undated = replace(patient, subject=replace(patient.subject, sessions=sessions))
    text = text_of(undated, (*LAST, *CHANGE))
    assert "from an unknown date (age unknown) to an unknown date (age unknown)." in text
    assert "Since ses-01 the lesion load has changed" in text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "(svs) fit none of the patterns that are looked for."),
        (("pattern_abscess", PRESENT), "consistent with abscess, an alert that has to be cleared"),
        (("pattern_inflammatory", OPEN), "could be matched to no pattern"),
        (("pattern_normal", PRESENT), "(svs) are without abnormal signs"),
    ],
)
def test_spectra_are_consistent_with_something_or_nothing(patient, more, words):
    found = [finding("pattern_naa_only", ABSENT, unit="", of="svs")]
    found += [finding(*more, unit="", of="svs")] if more else []
    assert words in text_of(patient, found)


def test_what_was_not_judged_of_spectra_says_why(patient):
    why = "loss of creatine cannot be seen in ratios: a water reference would tell"
    unknown = finding("pattern_inflammatory_necrotic", OPEN, unit="", of="svs")
    sign = replace(finding("all_low", OPEN, unit="", of="acq-long", why=why), scope="spectrum")
    assert f"whether all metabolites are low is not assessable: {why}" in text_of(patient, (unknown, sign))


def test_spectra_that_cannot_be_used_say_why(patient):
    spoilt = replace(finding("spectrum_quality", ABSENT, of="acq-long", why="linewidth 30 Hz"), scope="spectrum")
    good = replace(finding("spectrum_quality", PRESENT, of="acq-short"), scope="spectrum")
    assert "The spectra of ses-02 could not be used: linewidth 30 Hz." in text_of(patient, (spoilt,))
    some = text_of(patient, (spoilt, good))
    assert "show no abnormal sign" in some
    assert "Of these, acq-long could not be used: linewidth 30 Hz." in some


def test_patterns_of_earlier_visits_are_told_after_the_last(patient):
    now = finding("pattern_normal", PRESENT, unit="", of="svs")
    before = finding("pattern_inflammatory", PRESENT, unit="", of="svs", sessions=("01",))
    text = text_of(patient, (before, now))
    assert text.endswith("Before, at ses-01 they were consistent with an inflammatory or demyelinating pattern.")


def test_without_images_or_spectra_the_reason_is_said_once(patient):
    told = assess(patient).summary
    assert told[1:3] == ("The images could not be assessed: no image could be used.", "No spectrum was acquired.")
    assert not any("Change" in text or "Not assessable" in text for text in told)


def test_the_clinical_record_stands_beside_the_images(patient):
    found = (
        finding("neurological_symptoms", PRESENT),
        finding("csf_abnormal", OPEN),
        finding("steroids_recorded", PRESENT),
        finding("anaesthesia_recorded", PRESENT),
        finding("seizure_recorded", ABSENT),
    )
    assert (
        "The record of ses-02 tells of neurological symptoms, leaves abnormal findings in cerebrospinal fluid open and "
        "names anaesthesia and steroids, which bear on what images and spectra mean."
    ) in text_of(patient, found)
    none = (finding("neurological_symptoms", ABSENT), finding("csf_abnormal", ABSENT))
    said = "there were no neurological symptoms and no abnormal findings in cerebrospinal fluid."
    assert said in text_of(patient, none)
    assert "The record" not in text_of(patient, (finding("neurological_symptoms", OPEN),))


def test_a_failed_alignment_comes_before_every_number(patient):
    failed = finding("session_aligned", ABSENT, why="session 02 could not be aligned: too little overlap")
    told = summary(patient, (*LAST, failed))
    assert told[1] == "Session 02 could not be aligned: too little overlap."


def test_nobody_was_seen(patient):
    nobody = replace(patient, subject=replace(patient.subject, sessions=()))
    assert summary(nobody, ()) == ("Patient 01, male, has no session.",)


def test_never_a_diagnosis_and_no_question(patient):
    text = text_of(patient, (*LAST, *CHANGE, *BRAIN, *NECROTIC))
    assert "?" not in text
    assert "diagnos" not in text


def test_nouns_in_their_plural():
    assert [plural(n, "territory").replace(SPACE, " ") for n in (1, 2)] == ["1 territory", "2 territories"]
    assert plural(2, "day").replace(SPACE, " ") == "2 days"
