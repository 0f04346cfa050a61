"""Simulated women: lives, bodies, machines and pictures, and the cohorts made of them.

Everything follows from a seed; every file says that it is simulated.
"""
