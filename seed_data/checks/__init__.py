"""The simulator held against published facts, and how much its constants matter.

Reads lives, writes tables; changes nothing in the simulator.
"""
