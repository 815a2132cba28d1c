"""The demo model: weights in nnInteractive's format, and the network class that plans.json names."""
