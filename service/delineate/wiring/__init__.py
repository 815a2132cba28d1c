"""From settings to working parts: the only package that knows all adapters."""
