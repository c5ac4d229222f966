"""Logging something once."""

from shared.runtime.once import Once


def test_each_thing_is_new_once_until_it_is_forgotten() -> None:
    once = Once()
    assert [once.is_new(thing) for thing in ("a", "b", "a")] == [True, True, False]
    once.forget()
    assert once.is_new("a")


def test_without_a_name_it_is_new_once() -> None:
    once = Once()
    assert [once.is_new(), once.is_new()] == [True, False]
