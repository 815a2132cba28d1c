"""The demo: a complete stack on one machine, from Orthanc to the viewer."""
