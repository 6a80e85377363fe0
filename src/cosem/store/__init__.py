"""What must survive a restart: invocation counters, the client's system title, readings; each behind a protocol."""

from cosem.store.counters import FileCounterStore, SqliteCounterStore, default_counter_store
from cosem.store.directory import default_state_directory
from cosem.store.identity import client_system_title

__all__ = [
    "FileCounterStore",
    "SqliteCounterStore",
    "client_system_title",
    "default_counter_store",
    "default_state_directory",
]
