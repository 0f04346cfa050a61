"""What the product does: reading, intake, scoring, trends, cohort analysis, access and audit. Usable from a notebook.

Rooms, from the top down; a room may ask those below it, never one above (a linter in CI says so), and is entered by
the names that its `__init__` exports::

    cli          the verbs of ``python -m core``
    care         launch, doctor, verify, backup, benchmark
    training     runs that make models          evaluation   how good they are
    desk         one image, read at once        records      a woman over time, groups of women
    worker       the queue and what scores it   incoming     files taken in
    sets         images to learn from           people       accounts, sign-ins, audit
    images       from bytes to pixels           rules        thresholds, trends, the field's words

Beside the rooms stand what every one of them needs: `settings`, `installation`, `logs`, `files`, `refusals` and
`outages`.
"""
