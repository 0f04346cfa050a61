"""Sequence models for few women: any encoder's vectors, a read-out that averages instead of choosing, a small LSTM.

`model` is the way in; `features`, `readout` and `member` are its parts.
"""
