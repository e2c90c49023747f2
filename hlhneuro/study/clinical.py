"""What a clinician knows of one patient's time line: ages, intervals, covariates, treatment and observations."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hlhneuro.study._clinical_tables import Remark
from hlhneuro.study._values import DAYS_PER_YEAR
from hlhneuro.study.layout import Session, Study, Subject
from hlhneuro.study.observations import Observation, read_observations
from hlhneuro.study.treatment import TreatmentEvent, read_events

__all__ = [
    "ClinicalRecord",
    "age_months",
    "age_on",
    "clinical_remarks",
    "covariates_by_session",
    "intervals_days",
    "read_clinical",
]


@dataclass(frozen=True)
class ClinicalRecord:
    """What is known of one patient beside images and spectra.

    Parameters
    ----------
    events : tuple of TreatmentEvent
        In order of time.
    observations : tuple of Observation
        In order of time.
    problems : tuple of str
        What in the tables was meant to be used and could not be: file, row, column, found value, remedy.
    remarks : tuple of str
        What else is to be said of the tables, such as columns that are not known.
    """

    events: tuple[TreatmentEvent, ...] = ()
    observations: tuple[Observation, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def nearest(self, session: Session, within_days: int, *wanted: str) -> tuple[Observation, int] | None:
        """Return the dated observation nearest to a session that holds one of the wanted things, and the days between.

        Parameters
        ----------
        session : Session
        within_days : int
            No farther than this, before or after.
        *wanted : str
            Columns of `hlhneuro.study.observed_columns`, or ``neurological_symptoms``.

        Returns
        -------
        Observation and int, or None
            The days are positive if the observation was made before the session. Of two equally near ones, the earlier;
            of one day, one with symptoms.
        """
        if session.date is None:
            return None
        near = [
            (observation, (session.date - observation.date).days)
            for observation in self.observations
            if observation.date is not None and any(observation.has(name) for name in wanted)
        ]
        near = [one for one in near if abs(one[1]) <= within_days]
        return min(near, key=lambda one: (abs(one[1]), -one[1], not one[0].neurological_symptoms)) if near else None


def age_months(session: Session) -> float | None:
    """Return the age in months at a session, or None."""
    return None if session.age_years is None else session.age_years * 12


def age_on(subject: Subject, day: dt.date | None) -> float | None:
    """Return the age in years on a day, from the nearest session whose date and age are known; None without any."""
    known = [(s.date, s.age_years) for s in subject.sessions if s.date is not None and s.age_years is not None]
    if day is None or not known:
        return None
    date, age = min(known, key=lambda one: abs((day - one[0]).days))
    return max(age + (day - date).days / DAYS_PER_YEAR, 0.0)


def intervals_days(subject: Subject) -> tuple[int | None, ...]:
    """Return the days between each session and the next, in the order of sessions; None where a date is missing."""
    return tuple(
        (later.date - earlier.date).days if earlier.date and later.date else None
        for earlier, later in itertools.pairwise(subject.sessions)
    )


def covariates_by_session(subject: Subject) -> dict[str, Mapping[str, str]]:
    """Return each session's covariates, those of the patient included; the session's own win."""
    return {session.label: dict(subject.covariates) | dict(session.covariates) for session in subject.sessions}


def read_clinical(study: Study, subject: Subject) -> ClinicalRecord:
    """Return what the tables of a study tell of one patient; none of them needs to be there.

    See `hlhneuro.study.read_treatment` and `hlhneuro.study.read_observations` for the tables.
    """
    events, of_events = read_events(study)
    observations, of_observations = read_observations(study)
    remarks = [remark for remark in (*of_events, *of_observations) if remark.subject in ("", subject.label)]
    return ClinicalRecord(
        tuple(event for event in events if event.subject == subject.label),
        tuple(observation for observation in observations if observation.subject == subject.label),
        _texts(remarks, fault=True),
        _texts(remarks, fault=False),
    )


def clinical_remarks(study: Study) -> tuple[Remark, ...]:
    """Return what is to be said of all tables of treatment and of observations."""
    return (*read_events(study)[1], *read_observations(study)[1])


def _texts(remarks: Iterable[Remark], *, fault: bool) -> tuple[str, ...]:
    return tuple(dict.fromkeys(remark.text for remark in remarks if remark.fault is fault))
