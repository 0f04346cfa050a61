from .computed import frame_of as frame_of
from .frame import HORIZONS as HORIZONS
from .frame import TRUSTS as TRUSTS
from .frame import VISITS as VISITS
from .frame import WOMEN as WOMEN
from .frame import Frame as Frame
from .frame import empty_frame as empty_frame
