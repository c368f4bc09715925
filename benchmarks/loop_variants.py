"""The bare XLA loop of `rivals.py` written or compiled in other ways: what might make it faster.

    python benchmarks/throughput.py --rivals bare_xla_loop,loop_unrolled_2,loop_flat_adam,...

They are rivals of `throughput.py`, for which they must be asked. XLA reads its flags from the
environment once a process, so whoever sets some does it before TensorFlow is imported.
"""

import os

import rivals


def _with_flags(flags):
    def variant(images, sizes):
        os.environ["XLA_FLAGS"] = flags
        return rivals.bare_xla_loop(images, sizes)

    return variant


def _written(**settings):
    return lambda images, sizes: rivals.bare_xla_loop(images, sizes, **settings)


RIVALS = {
    "loop_unrolled_2": _written(unroll=2),
    "loop_unrolled_4": _written(unroll=4),
    "loop_unrolled_8": _written(unroll=8),
    "loop_flat_adam": _written(flat=True),
    "loop_fast_math": _with_flags("--xla_cpu_enable_fast_math=true"),
    "loop_vectors_of_512": _with_flags("--xla_cpu_prefer_vector_width=512"),
    "loop_one_thread_products": _with_flags("--xla_cpu_multi_thread_eigen=false"),
}
