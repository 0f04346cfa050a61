"""What the product does: reading, intake, scoring, trends, cohort analysis, access and audit. Usable from a notebook."""
