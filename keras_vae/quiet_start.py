"""A terminal without the greetings of TensorFlow, for programs that ask.

TensorFlow greets from C++ while it is imported, before any setting of its own is read. A program
that sets the environment variable `KERAS_VAE_QUIET` to `1`, and imports `keras_vae` before Keras
and TensorFlow, is spared that; no other is touched. All else that is written meanwhile passes at
once, an abort's last words, too: the lines are sorted by a process of its own.
"""

import contextlib
import logging
import os
import subprocess
import sys

VARIABLE = "KERAS_VAE_QUIET"

# Greetings: what is on, and which graphics drivers are not there. 303 says that there is no driver
# at all; one that does not work has another number, which is news.
NO_NEWS = (
    r"WARNING: All log messages before absl::InitializeLog\(\)|I\d{4} \d|"
    r"E\d{4} \d.*failed call to cuInit: .*\(303\)"
)
_SORT = """
import re, signal, sys

signal.signal(signal.SIGINT, signal.SIG_IGN)
no_news = re.compile(sys.argv[1].encode())
for line in sys.stdin.buffer:
    if not no_news.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


@contextlib.contextmanager
def quiet_start():
    """While it is open, TensorFlow is imported. Does nothing where it was already or nobody asks.

    Afterwards, TensorFlow and absl write errors alone.
    """
    if not is_asked_for() or "tensorflow" in sys.modules or not sys.executable:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _sorted_lines():
        yield
        import tensorflow as tf

        # Looks for graphics cards, and writes what comes of it, here rather than at the first step.
        tf.config.list_physical_devices()
    for name in ("absl", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)


def is_asked_for() -> bool:
    """Whether a program asks for it, or `python -m keras_vae` is that program."""
    if VARIABLE in os.environ:
        return os.environ[VARIABLE] == "1"
    # While Python looks for the module that `-m` names, this is the first argument; the name itself
    # comes before the others.
    is_module = sys.argv[:1] == ["-m"]
    return is_module and sys.orig_argv[-len(sys.argv)].removeprefix("-m") == "keras_vae"


@contextlib.contextmanager
def _sorted_lines():
    """Has another process write what is written to the standard error stream, but for greetings."""
    try:
        stream = os.dup(2)
    except OSError:  # There is no such stream.
        yield
        return
    command = [sys.executable, "-I", "-S", "-c", _SORT, NO_NEWS]
    sorting = subprocess.Popen(command, stdin=subprocess.PIPE)
    os.dup2(sorting.stdin.fileno(), 2)
    sorting.stdin.close()
    try:
        yield
    finally:
        os.dup2(stream, 2)
        os.close(stream)
        # What it has read it has written by then, unless a process that was started meanwhile holds
        # the stream open.
        with contextlib.suppress(subprocess.TimeoutExpired):
            sorting.wait(1)
