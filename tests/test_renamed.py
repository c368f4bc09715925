"""Tests of what is said where an old name is used."""

import warnings

import pytest

import keras_vae
from keras_vae import presets
from keras_vae.renamed import warn_renamed


def test_the_message_says_what_to_write_until_when_and_points_to_who_wrote_the_old_name():
    def old():
        warn_renamed("old()", "new()", until="9.9")

    with pytest.warns(FutureWarning) as caught:
        old()
    (warning,) = caught
    assert str(warning.message) == (
        "`old()` is deprecated, and gone in keras_vae 9.9. Write `new()`."
    )
    assert warning.filename == __file__


def test_presets_list_works_and_names_its_successor():
    with pytest.warns(FutureWarning, match=r"Write `presets\.descriptions\(\)`"):
        lines = presets.list()
    assert [line.split()[0] for line in lines] == list(presets.descriptions())
    with pytest.raises(AttributeError, match="no attribute 'lists'"):
        presets.lists  # noqa: B018


@pytest.mark.parametrize(
    ("old", "new"), [("divergence", "regularizers("), ("objective", "forward(")]
)
def test_a_class_with_a_hook_of_before_is_told_that_it_is_never_called(old, new):
    with pytest.warns(FutureWarning) as caught:
        type("Mine", (keras_vae.VAE,), {old: lambda self, *arguments: None})
    (warning,) = caught
    assert f"`Mine.{old}` is never called" in str(warning.message)
    assert new in str(warning.message)
    assert hasattr(keras_vae.VAE, new[:-1]) and not hasattr(keras_vae.VAE, old)


def test_a_class_without_one_and_an_attribute_of_that_name_are_not():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        type("Mine", (keras_vae.VAE,), {"objective": "text", "regularizers": lambda self: None})
    assert caught == []
