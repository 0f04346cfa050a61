"""Writing files: whole or not at all, and private where patients are in them (`db.files`, for all that stands on `core`)."""

from db.files import AS_ASKED, PARTIAL, private_file, private_folder, sync_folder, whole_file, write_whole

__all__ = [
    "AS_ASKED",
    "PARTIAL",
    "private_file",
    "private_folder",
    "sync_folder",
    "whole_file",
    "write_whole",
]
