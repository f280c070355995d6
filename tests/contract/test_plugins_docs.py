"""docs/plugins.md names every plugin and option as they are."""

from pathlib import Path

from video_manager.plugins.reference import reference, with_reference
from video_manager.plugins.registry import PluginKind, load_registry

DOCUMENT = Path(__file__).parents[2] / "docs" / "plugins.md"


def test_the_reference_is_up_to_date() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert with_reference(text, load_registry()) == text, (
        "run: python -m video_manager.plugins.reference docs/plugins.md"
    )


def test_the_reference_says_what_people_need() -> None:
    registry = load_registry()
    text = reference(registry)
    for kind in PluginKind:
        for name in registry.names(kind):
            assert f"### `{name}`" in text
    assert '| `aspect` | `9:16`, `1:1`, `16:9` | `"9:16"` | Shape of the result. |' in text
    assert "uploaded file" in text
