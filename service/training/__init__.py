"""Training and evaluation of the demo model on synthetic volumes only."""
