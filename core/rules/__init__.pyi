from . import thresholds as thresholds
from . import trends as trends
from .comparable import last_of_each_day as last_of_each_day
from .comparable import last_said as last_said
from .comparable import latest_score_ids as latest_score_ids
from .comparable import said_alike as said_alike
from .thresholds import AlertRule as AlertRule
from .thresholds import alert_rules as alert_rules
