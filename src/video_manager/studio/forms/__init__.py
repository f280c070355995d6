"""Forms that draw themselves from a plugin's JSON Schema."""

from video_manager.studio.forms.form import SchemaForm
from video_manager.studio.forms.schema import FieldSpec, Widget, read_fields

__all__ = ["FieldSpec", "SchemaForm", "Widget", "read_fields"]
