"""How well a mammogram was taken, as numbers: positioning, sharpness, exposure, and what lies on the breast.

`measures.measure` takes an array and gives plain numbers; `core.rules.quality` holds them against named criteria.
"""
