"""Tests of Longview."""

import os

# Each of the workers has a core of its own: matrices on more threads than cores only wait for each other. Set here,
# before anything imports numpy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
