from .content import Report as Report
from .content import ReportError as ReportError
from .content import report_of as report_of
from .formats import Format as Format
from .making import Made as Made
from .making import make as make
from .making import write as write
