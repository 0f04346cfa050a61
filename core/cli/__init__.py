"""The verbs of ``python -m core``: arguments in, `core` asked, answers printed.

A verb holds no rule of its own, and imports what it needs when it runs: `--help` must not wait.
"""
