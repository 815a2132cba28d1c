"""Independent readers of DICOM SEG, and acceptances for them to read."""
