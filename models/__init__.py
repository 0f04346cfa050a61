"""What is predicted: preprocessing, encoder, sequence model, training, calibration, metrics. Sees arrays only.

Rooms, from the top down; a room may ask those below it, never one above (a linter in CI says so), and is entered by
the names that its `__init__` exports::

    longitudinal   the whole model: encoder and sequence, calibrated and explained
    classifier     single images                sequence     a woman's studies over time
    view           one view: standardised and encoded
    measures       how good scores are          store        folders, cards, weights, the library behind Keras

Beside the rooms stands `vocabulary`: in which order sides, views and answers stand in the arrays. The shipped weights
and their cards lie in `weights`.
"""
