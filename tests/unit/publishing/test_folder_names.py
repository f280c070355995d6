import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_manager.plugins.publishers.folder import file_name

ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Ein Tag am Meer", "ein-tag-am-meer"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "video"),
        ("", "video"),
        ("\x00\n\t", "video"),
        ("日本の朝 / モーニング", "日本の朝-モーニング"),
        ("Größe: 100 %", "grösse-100"),
        ("a\\b|c<d>e\"f'g?h*i", "a-b-c-d-e-f-g-h-i"),
        ("-rf ~", "rf"),
        ("😀", "video"),
    ],
)
def test_names_are_readable_and_safe(title: str, name: str) -> None:
    assert file_name(title, ID) == f"{name}-0123456789ab"


@given(title=st.text(max_size=400))
def test_any_title_gives_a_name_that_every_file_system_takes(title: str) -> None:
    name = file_name(title, ID)
    assert len(name.encode()) <= 120
    assert not name.startswith((".", "-"))
    assert all(letter.isprintable() and letter not in '/\\:*?"<>|' for letter in name)
    assert file_name(title, ID) == name
