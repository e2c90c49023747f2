"""What else lesions show, each against the subject's own normal tissue: the package of signs."""

from hlhneuro.lesions.signs.measuring import measure_signs
from hlhneuro.lesions.signs.summary import sign_findings
from hlhneuro.lesions.signs.table import QUESTIONS, SIGN_COLUMNS, WHOLE, LesionSigns, Measure, Sign

__all__ = ["QUESTIONS", "SIGN_COLUMNS", "WHOLE", "LesionSigns", "Measure", "Sign", "measure_signs", "sign_findings"]
