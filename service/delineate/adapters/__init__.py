"""The outer world: one foreign library per file, each behind a port of the domain."""
