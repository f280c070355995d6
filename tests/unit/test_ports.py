"""Collections have names that can stand in a statement of every store."""

import pytest

from video_manager.ports import CollectionSpec


@pytest.mark.parametrize("name", ["", "Videos", "videos; DROP TABLE x", "$where", "a.b", "1st", "x" * 42, "videos\n"])
def test_a_wrong_name_of_a_collection_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="collection name"):
        CollectionSpec(name)


@pytest.mark.parametrize("path", ["", "a.", ".a", "a b", "a'b", "$gt", "a..b", "a.0b", "a\n"])
def test_a_wrong_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="names joined by dots"):
        CollectionSpec("videos", indexed=(path,))
    with pytest.raises(ValueError, match="names joined by dots"):
        CollectionSpec("videos", unique=(path,))


def test_right_names_are_taken() -> None:
    CollectionSpec("access_2", indexed=("a", "B_1.c"), unique=("d.e.f",))
