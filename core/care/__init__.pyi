from . import benchmark as benchmark
from . import launch as launch
from .backup import BackupError as BackupError
from .backup import restore_backup as restore_backup
from .backup import write_backup as write_backup
from .doctor import examine as examine
from .launch import stop_on_signals as stop_on_signals
from .verify import verify_objects as verify_objects
