"""Presets on Kaggle, through `kagglehub`."""

import re
from pathlib import Path
from typing import NamedTuple

from keras_vae.hubs.clients import require

UNVERSIONED = "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION"
FORM = f"{UNVERSIONED}[/VERSION]"
_PATTERN = re.compile(
    r"kaggle://(?P<handle>[\w.-]+(/[\w.-]+){3})(/(?P<version>[1-9]\d*))?", re.ASCII
)
_LOG_IN = "log in with `kagglehub.login()`, or set KAGGLE_API_TOKEN"


class Address(NamedTuple):
    """A variation of a model, and a version of it, the latest if there is none."""

    handle: str
    version: str | None

    def __str__(self) -> str:
        return "kaggle://" + "/".join(filter(None, self))


def parse(address: str) -> Address:
    """The parts of an address.

    Raises:
        ValueError: If it has no such parts.
    """
    found = _PATTERN.fullmatch(address)
    if not found:
        raise ValueError(f"No address of a model on Kaggle. Expected {FORM}. Received: {address!r}")
    return Address(found["handle"], found["version"])


def client():
    """The hub's client."""
    return require("kagglehub", "kaggle")


def download(address: Address, anew: bool) -> Path:
    """Fetches the files of a version; see `hubs.download`."""
    hub = client()
    handle = "/".join(filter(None, address))
    try:
        return Path(hub.model_download(handle, force_download=anew))
    except Exception as error:  # Of whatever type: those of the client have no common one.
        raise _why_not_read(address, error) from error


def upload(address: Address, folder: Path, message: str, private: bool | None) -> str:
    """Uploads files as a new version; see `hubs.upload`."""
    if private is False:
        raise ValueError(
            "Kaggle makes every new model private. Leave `private` out, and publish the model on "
            "its page. Received: private=False"
        )
    hub = client()
    try:
        hub.model_upload(address.handle, str(folder), version_notes=message)
    except Exception as error:
        raise _why_not_written(address, error) from error
    return str(address)


def _why_not_read(address, error):
    import requests

    status = _status(error)
    if status == 404:
        return FileNotFoundError(f"There is no {address}. Check its names and its version.")
    if status in (401, 403):
        return PermissionError(
            f"You may not read {address}, or it does not exist. Check the name; for a private one "
            f"{_LOG_IN}."
        )
    if isinstance(error, requests.ConnectionError | requests.Timeout) and not status:
        known = "" if address.version else " With its version, one that is in the cache loads."
        return ConnectionError(f"{address} cannot be fetched: Kaggle does not answer.{known}")
    return OSError(f"The download of {address} failed: {_in_short(error)}. Load it again.")


def _why_not_written(address, error):
    import requests

    if _status(error) in (401, 403):
        return PermissionError(
            f"You may not write to {address}: {_LOG_IN}, as somebody who may write to it."
        )
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return ConnectionError(f"{address} cannot be uploaded: Kaggle does not answer.")
    return OSError(f"The upload to {address} failed: {_in_short(error)}: {error}")


def _status(error):
    return getattr(getattr(error, "response", None), "status_code", None)


def _in_short(error):
    status = _status(error)
    return f"Kaggle answers {status}" if status else type(error).__name__
