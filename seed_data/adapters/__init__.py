"""Public data sets that a user holds on disk, as published, turned into exam manifests."""

from seed_data.adapters.adapting import Adapted, CannotAdapt, adapt
from seed_data.adapters.sets import SETS

__all__ = ["SETS", "Adapted", "CannotAdapt", "adapt"]
