"""Tests of what imports do to Python's garbage collector."""

import gc
import textwrap

import pytest

from keras_vae.libraries import resting_collector


def test_the_collector_rests_meanwhile_and_not_afterwards():
    frozen = gc.get_freeze_count()
    with resting_collector():
        assert not gc.isenabled()
    assert gc.isenabled()
    # TensorFlow was imported before: a program may have made anything since.
    assert gc.get_freeze_count() == frozen


def test_it_works_again_after_an_error():
    with pytest.raises(ImportError), resting_collector():
        raise ImportError
    assert gc.isenabled()


def test_it_stays_off_where_somebody_has_switched_it_off():
    gc.disable()
    try:
        with resting_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("first, is_left_alone", [("keras_vae", True), ("keras", False)])
def test_what_is_imported_first_is_left_alone_and_else_nothing(first, is_left_alone, run_python):
    found = run_python(
        f"import gc, {first}, keras_vae; print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    )
    assert found.split()[-2:] == ["True", str(is_left_alone)]


def test_garbage_of_before_is_collected_first(run_python):
    program = """
        import gc, weakref

        class Cycle:
            pass

        gc.disable()
        before = Cycle()
        before.itself, seen = before, weakref.ref(before)
        del before
        gc.enable()
        import keras_vae
        print(seen() is None)
        """
    assert run_python(textwrap.dedent(program)).split()[-1] == "True"
