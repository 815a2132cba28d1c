"""Delineate: interactive 3D segmentation for a hospital's PACS."""

__version__ = "0.1.0"
