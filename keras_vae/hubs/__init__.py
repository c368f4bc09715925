"""Model hubs: the files of a preset, from there and to there, through the hubs' own clients.

The clients, `huggingface_hub` and `kagglehub`, are extras that are loaded when an address first
asks for them. Their caches, tokens, mirrors, progress bars and offline switches hold here as
everywhere. What came is looked into by `keras_vae/presets.py` alone, as what comes from a stranger.
"""

from pathlib import Path

from keras_vae.hubs import hugging_face, kaggle

_HUBS = {"hf": hugging_face, "kaggle": kaggle}


def is_address(preset) -> bool:
    """Whether a preset is named by an address, `hf://...` or of another hub, known or not."""
    return isinstance(preset, str) and "://" in preset


def download(address: str, anew: bool = False) -> Path:
    """Fetches a preset's files into the cache of the hub's client, unless they are there.

    Args:
        address: As `VAE.from_preset` takes it.
        anew: Bool. Whether to fetch them though they are in the cache. Defaults to `False`.

    Returns:
        The folder that holds them.

    Raises:
        ValueError: If it is no address of a known hub.
        ImportError: If the hub's client is not installed.
        OSError: If the files cannot be had: a `FileNotFoundError` if there are none, a
            `PermissionError` if they are not for everybody, a `ConnectionError` without a network.
    """
    hub = _hub(address)
    return hub.download(hub.parse(address), anew)


def check_upload(address: str):
    """Checks that an address may be uploaded to, without asking the hub.

    Raises:
        ValueError: If it is no address of a known hub, or names a revision or version.
        ImportError: If the hub's client is not installed.
    """
    hub = _hub(address)
    parsed = hub.parse(address)
    if parsed.version is not None:
        raise ValueError(
            "An upload becomes a new version, which the hub names. "
            f"Expected {hub.UNVERSIONED}. Received: {address!r}"
        )
    hub.client()


def upload(address: str, folder: Path, message: str, private: bool | None = None) -> str:
    """Uploads all files of a folder.

    Args:
        address: As `check_upload` takes it.
        folder: A folder without folders.
        message: What is said of the change, in a line.
        private: Bool. Whether a repository that is made for it is private. By default as the hub
            does it.

    Returns:
        The address of what was uploaded.

    Raises:
        ValueError: If the hub does not take them.
        OSError: If they cannot be uploaded, as `download` raises it.
    """
    hub = _hub(address)
    return hub.upload(hub.parse(address), folder, message, private)


def _hub(address):
    hub = _HUBS.get(address.partition("://")[0])
    if hub is None:
        forms = " or ".join(known.FORM for known in _HUBS.values())
        raise ValueError(f"Unknown hub. Expected {forms}. Received: {address!r}")
    return hub
