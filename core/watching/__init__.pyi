from .watch import Watch as Watch
from .watch import WatchedTwice as WatchedTwice
