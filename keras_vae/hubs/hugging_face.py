"""Presets on the Hugging Face Hub, or a mirror of it (HF_ENDPOINT), through `huggingface_hub`."""

import re
from pathlib import Path
from typing import NamedTuple

from keras_vae.hubs.clients import require

UNVERSIONED = "hf://USER/NAME"
FORM = f"{UNVERSIONED}[@REVISION]"
_PATTERN = re.compile(r"hf://(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)
_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


class Address(NamedTuple):
    """A repository, and a branch, tag or commit of it."""

    name: str
    version: str | None

    def __str__(self) -> str:
        return f"hf://{self.name}" + (f"@{self.version}" if self.version else "")


def parse(address: str) -> Address:
    """The parts of an address.

    Raises:
        ValueError: If it has no such parts.
    """
    found = _PATTERN.fullmatch(address)
    if not found:
        raise ValueError(f"No address on Hugging Face. Expected {FORM}. Received: {address!r}")
    return Address(found["name"], found["revision"])


def client():
    """The hub's client."""
    return require("huggingface_hub", "huggingface")


def download(address: Address, anew: bool) -> Path:
    """Fetches the cards and models at the top of a repository; see `hubs.download`."""
    hub = client()
    try:
        folder = hub.snapshot_download(
            address.name,
            revision=address.version,
            allow_patterns=["*.json", "*.keras"],
            ignore_patterns=["*/*"],
            force_download=anew,
            **_user_agent(),
        )
    except Exception as error:  # Of whatever type: those of its HTTP library change with versions.
        raise _why_not_read(address, hub, error) from error
    return Path(folder)


def upload(address: Address, folder: Path, message: str, private: bool | None) -> str:
    """Uploads files in a single commit, so that nobody finds half of them; see `hubs.upload`."""
    hub = client()
    api = hub.HfApi(**_user_agent())
    files = {path.name: path for path in sorted(folder.iterdir())}
    additions = [hub.CommitOperationAdd(name, path) for name, path in files.items()]
    try:
        api.create_repo(address.name, private=private, exist_ok=True)
        _check_no_other(address, api.list_repo_files(address.name), files)
        commit = api.create_commit(address.name, additions, commit_message=message)
    except Exception as error:
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            # Of what was to be uploaded, not of the way there.
            raise
        raise _why_not_written(address, hub, error) from error
    return str(address._replace(version=commit.oid))


def _check_no_other(address, names, files):
    """Refuses a repository that would then hold two cards, and load no more."""
    cards = (name for name in names if name.endswith(".json") and "/" not in name)
    if others := sorted(set(cards) - set(files)):
        raise ValueError(
            f"A preset's repository holds one card, a .json file. Received: {address} with "
            f"{others}. Choose another repository."
        )


def _why_not_read(address, hub, error):
    errors = hub.errors
    if isinstance(error.__cause__, errors.HfHubHTTPError):
        # The hub did answer, and the cache was looked into for want of the files.
        error = error.__cause__
    if isinstance(error, errors.GatedRepoError):
        return PermissionError(f"{address} is gated. Accept its terms on its page, and {_LOG_IN}.")
    if isinstance(error, errors.RepositoryNotFoundError):
        return FileNotFoundError(
            f"There is no {address}, or it is private. Check the name; for a private one {_LOG_IN}."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return FileNotFoundError(
            f"{address} names a revision that is not there. Expected a branch, a tag or a commit."
        )
    if isinstance(error, errors.LocalEntryNotFoundError):
        return ConnectionError(f"{address} is not whole in the cache, and {_unreachable(hub)}.")
    if _status(error) in (401, 403):
        return PermissionError(f"You may not read {address}: {_LOG_IN}.")
    return OSError(f"The download of {address} failed: {_in_short(error)}. Load it again.")


def _why_not_written(address, hub, error):
    if _status(error) in (401, 403):
        return PermissionError(
            f"You may not write to {address}: {_LOG_IN}, with a token that may write."
        )
    if isinstance(error, hub.errors.OfflineModeIsEnabled):
        return ConnectionError(f"{address} cannot be uploaded: {_unreachable(hub)}.")
    return OSError(f"The upload to {address} failed: {_in_short(error)}.")


def _status(error):
    return getattr(getattr(error, "response", None), "status_code", None)


def _unreachable(hub):
    if hub.constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    return "the hub does not answer"


def _in_short(error):
    status = _status(error)
    return f"the hub answers {status}" if status else type(error).__name__


def _user_agent():
    import keras_vae

    return {"library_name": "keras_vae", "library_version": keras_vae.__version__}
