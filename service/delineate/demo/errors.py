"""What can go wrong while the demo stack starts.

DemoError
├── CheckoutMissingError
├── DemoRunningError
├── PortInvalidError
├── PortTakenError
├── ProgramMissingError
├── SampleNotStoredError
├── SegmentationFailedError
├── ServerEndedError
└── ServerNotReadyError
"""

from __future__ import annotations

from pathlib import Path


class DemoError(Exception):
    """Base of every error that the demo reports in one message."""


class CheckoutMissingError(DemoError):
    """The package was installed without the repository that the demo needs.

    Parameters
    ----------
    path : Path
        What was looked for.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(f"The demo runs from a checkout of the repository; {path} is missing.")
        self.path = path


class DemoRunningError(DemoError):
    """Another demo uses the same folder.

    Parameters
    ----------
    state : Path
        The folder.
    """

    def __init__(self, state: Path) -> None:
        super().__init__(f"A demo is running already on {state}; end it, or choose another folder (DEMO_STATE).")
        self.state = state


class PortInvalidError(DemoError):
    """A variable does not hold a port.

    Parameters
    ----------
    variable : str
        Its name.
    text : str
        What it holds.
    """

    def __init__(self, variable: str, text: str) -> None:
        super().__init__(f"{variable} should be a port from 1 to 65535, and is {text!r}.")
        self.variable = variable


class PortTakenError(DemoError):
    """Another program listens on a port that the demo needs.

    Parameters
    ----------
    port : int
        The port.
    server : str
        What was to listen there.
    variable : str
        The variable that chooses another port.
    """

    def __init__(self, port: int, server: str, variable: str) -> None:
        super().__init__(
            f"Port {port} for {server} is taken (perhaps by another demo). "
            f"Choose another one: make demo {variable}={port + 1}"
        )
        self.port = port
        self.variable = variable


class ProgramMissingError(DemoError):
    """A program that the demo starts is not installed.

    Parameters
    ----------
    program : str
        Its name.
    """

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed; `make demo` installs it.")
        self.program = program


class ServerNotReadyError(DemoError):
    """A server ended, or was not ready in time.

    Parameters
    ----------
    name : str
        The server.
    reason : str
        What happened.
    log_tail : str
        The last lines of its log.
    """

    def __init__(self, name: str, reason: str, log_tail: str) -> None:
        super().__init__(f"{name} did not start: {reason}.\n{log_tail}")
        self.name = name


class ServerEndedError(DemoError):
    """A server ended while the demo ran.

    Parameters
    ----------
    name : str
        The server.
    returncode : int
        Its exit status.
    log_tail : str
        The last lines of its log.
    """

    def __init__(self, name: str, returncode: int, log_tail: str) -> None:
        super().__init__(f"{name} ended with status {returncode}.\n{log_tail}")
        self.name = name
        self.returncode = returncode


class SampleNotStoredError(DemoError):
    """The archive did not take the sample series.

    Parameters
    ----------
    reason : str
        What the archive holds or said.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The sample series was not stored: {reason}")


class SegmentationFailedError(DemoError):
    """`delineate segment` failed.

    Parameters
    ----------
    reason : str
        What it said.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The segmentation of the sample series failed: {reason}")
