"""How good what the model says is for a cohort, in arrays: discrimination, calibration, usefulness, survival, comparisons.

Pure: from a row a woman to figures with their intervals. What may be told of few women is for `core.cohorts.disclosure`.
"""
