"""Keeps glibc from handing memory back to the system between two training steps."""

import ctypes
import functools
import os

# Parameters of mallopt(3), and the values that glibc takes at most: blocks up to 32 MiB come from
# the heap, and 64 MiB of free heap stay.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_SETTINGS = ((_M_MMAP_THRESHOLD, 2**25), (_M_TRIM_THRESHOLD, 2**30), (_M_TOP_PAD, 2**26))


def keep_freed_memory() -> bool:
    """Has the process keep what it frees, up to a gigabyte, for the next time it asks.

    A training step on small images allocates and frees a megabyte or two of batches. By default
    glibc returns much of that to the system, which then gives it back page by page, each with a
    fault: on a CPU that took as long as the arithmetic. Other allocators do not do this, and a
    process whose allocator has been configured by the environment is left alone, as is one where
    `KERAS_VAE_MALLOC` is `0`.

    Returns:
        Whether glibc was told so.
    """
    mallopt = _mallopt()
    if mallopt is None:
        return False
    return all([mallopt(parameter, value) == 1 for parameter, value in _SETTINGS])


@functools.cache
def _mallopt():
    """The C function, or `None` where it is not there or not to be called."""
    if os.environ.get("KERAS_VAE_MALLOC") == "0":
        return None
    if any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ:
        return None
    try:
        return ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return None
