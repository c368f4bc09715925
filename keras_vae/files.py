"""Files that are written whole or not at all."""

import contextlib
import os
import tempfile
import uuid
from pathlib import Path


def write_whole(path: str | os.PathLike, content: bytes | str, sync: bool = False):
    """Writes a file under a temporary name, then renames it, so that no reader sees half of it.

    A process that is killed meanwhile leaves the temporary file, `.NAME.….tmp`, which nobody reads.

    Args:
        path: The file; its folder is made if need be.
        content: Bytes, or text to write as UTF-8.
        sync: Bool. Whether to wait until it is on the disk, for files that must outlive the whole
            machine's going down. Defaults to `False`.

    Raises:
        OSError: If it cannot be written. An older file of that name is then as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def check_writable(folder: str | os.PathLike):
    """Checks that files can be written below a folder that may not exist yet, and leaves nothing.

    Raises:
        OSError: If they cannot.
    """
    folder = Path(folder)
    try:
        existing = folder
        while not existing.exists():
            existing = existing.parent
        if not existing.is_dir():
            raise NotADirectoryError(f"{existing} is not a folder")
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise OSError(
            f"Cannot write into the folder {str(folder)!r}: {error}. Choose a folder that exists "
            "or can be made, and that you may write to."
        ) from None
