"""Tidy tables: of one patient, of the visits, of a cohort; every column with its unit and meaning."""
