"""Writing files: whole or not at all, and private where patients are in them (`db.files`, for all that stands on `core`)."""

from db.files import AS_ASKED as AS_ASKED
from db.files import PARTIAL as PARTIAL
from db.files import keep_private as keep_private
from db.files import private_file as private_file
from db.files import private_folder as private_folder
from db.files import sync_folder as sync_folder
from db.files import whole_file as whole_file
from db.files import write_whole as write_whole
