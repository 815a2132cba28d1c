"""What Delineate is about, in the standard library and numpy only."""
