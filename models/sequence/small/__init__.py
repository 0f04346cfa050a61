"""Sequence models of any encoder's vectors: a read-out that averages instead of choosing, and a small LSTM beside it.

`model` is the way in; `features`, `readout` and `member` are its parts.
"""
