"""Which water references of a session belong to a spectrum, and what each is for."""

from __future__ import annotations

from hlhneuro.study.layout import Scan, Session

__all__ = ["water_references_of"]


def water_references_of(scan: Scan, session: Session) -> tuple[Scan | None, Scan | None]:
    """Return the references for quantification and for eddy currents; None where no file is for that alone.

    A reference has the entities of its spectrum. Where there are two, the ``acq`` entity tells them apart: it is or
    ends with ``conc`` or ``ecc`` (``acq-ecc_mrsref``, or ``acq-shortecc_mrsref`` for ``acq-short_svs``).

    References
    ----------
    BIDS specification, Magnetic Resonance Spectroscopy: concentration or calibration reference.
    """
    own = _entities(scan)
    acquisition = own.pop("acq", "")

    def named(*labels: str) -> Scan | None:
        wanted = [{**own, "acq": label} if label else own for label in labels]
        found = [ref for entities in wanted for ref in session.water_references if _entities(ref) == entities]
        return found[0] if found else None

    return named(f"{acquisition}conc", "conc", acquisition), named(f"{acquisition}ecc", "ecc")


def _entities(scan: Scan) -> dict[str, str]:
    return {key: value.lower() for key, value in scan.entities.items()}
