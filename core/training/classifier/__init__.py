"""Training classifiers of single images: `run` is the way in, `plan` what was asked for, `parts` who is kept apart.

`heads` says what training a head is; `dense`, `kernel` and `lesions` are the three there are.
"""
