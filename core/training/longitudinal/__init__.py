"""Training longitudinal models: `run` is the way in, `plan` what was asked for, `heads` the sequence and its controls."""
