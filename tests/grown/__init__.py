"""An installation grown to several machines, on one: its servers from packages, what is tried on it, and `make grown`."""
