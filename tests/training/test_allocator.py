import os

import pytest

from keras_vae.training import allocator

PROGRAM = """
import resource
from keras_vae.training.allocator import keep_freed_memory
print(keep_freed_memory())
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2**20)
before = faults()
for _ in range(50):
    np.ones(2**20)  # 8 MiB
print(faults() - before)
"""


@pytest.fixture
def clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("MALLOC_") or name in ("GLIBC_TUNABLES", "KERAS_VAE_MALLOC"):
            monkeypatch.delenv(name)


@pytest.mark.slow
def test_freed_memory_is_used_again_without_page_faults(clean_environment, run_python):
    told, faults = run_python(PROGRAM).split()
    if told == "False":
        pytest.skip("this system's C library is not glibc")
    # Each round touches 2,048 pages, every one of which would be a fault.
    assert int(faults) < 5 * 2048


@pytest.mark.parametrize(
    ("name", "value"), [("KERAS_VAE_MALLOC", "0"), ("MALLOC_TRIM_THRESHOLD_", "100000")]
)
def test_what_the_environment_says_goes(clean_environment, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert allocator._mallopt.__wrapped__() is None
