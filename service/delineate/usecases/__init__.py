"""What Delineate does: one verb per file, against the ports of the domain."""
