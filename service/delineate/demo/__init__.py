"""The demo: a complete stack on one machine, from Orthanc to the viewer."""

from __future__ import annotations


def run_demo() -> int:
    """Run the demo until Ctrl-C; its variables are those of ``delineate.demo.command``.

    Returns
    -------
    int
        Exit status.
    """
    from delineate.demo.command import main  # needs the "demo" extra

    return main()
