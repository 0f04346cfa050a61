"""How fast a running dashboard answers: it is driven as browsers do, and clocked.

``python -m core benchmark pages`` makes an installation ready, starts its dashboard, and runs this package beside it.
"""
