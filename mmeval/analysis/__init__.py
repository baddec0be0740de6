"""Results tables to typed findings: comparisons, gates, diagnoses."""
