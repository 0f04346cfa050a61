"""A person's own account: her password, her second factor, her sign-ins, her programs' tokens.

A part is a module with ``show(person)``; it does what it does to her own account and to no other.
"""
