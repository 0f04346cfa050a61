"""Where each point of a current view lies in the prior one: the same breast, compressed anew and exposed anew.

Arrays in, a `Registration` out; `core.images.registered` asks for images of an installation and keeps the answers.
"""
