"""The clients of the hubs, which are extras."""

import importlib
import importlib.util


def require(package: str, extra: str):
    """A client's module.

    Args:
        package: Its name.
        extra: What of `keras-vae` brings it.

    Raises:
        ImportError: If it is not installed, with what to install.
    """
    if importlib.util.find_spec(package) is None:
        raise ImportError(
            f"Addresses of this hub need the package `{package}`. Install it with "
            f"`pip install 'keras-vae[{extra}]'`."
        )
    return importlib.import_module(package)
