"""The account of a patient: questions, their answers, and a summary in plain words."""
