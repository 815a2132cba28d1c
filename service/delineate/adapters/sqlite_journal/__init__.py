"""The embedded journal and result store: SQLite in write-ahead mode, one writer thread, one process."""

from delineate.adapters.sqlite_journal.journal import DataDirInUse, SqliteJournal

__all__ = ["DataDirInUse", "SqliteJournal"]
