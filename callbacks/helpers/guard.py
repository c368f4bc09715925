"""Failures of a callback become a warning: training goes on."""

import contextlib
import warnings


class Guard:
    """Turns the failures of a callback into one warning, so that training goes on.

    Args:
        owner: Who is warned about.
    """

    def __init__(self, owner: str):
        self.owner = owner
        self.warned = False

    @contextlib.contextmanager
    def __call__(self, action: str):
        """Runs what is inside; if that fails, warns the first time that `action` failed."""
        try:
            yield
        except Exception as error:
            if not self.warned:
                self.warned = True
                warnings.warn(
                    f"{self.owner} could not {action}, and training goes on without: "
                    f"{type(error).__name__}: {error}. Further failures are not reported.",
                    stacklevel=3,
                )
