"""The little of a TrueType file that laying out captions needs: which characters it has, and how wide they are.

Read from the tables `head`, `hhea`, `OS/2`, `hmtx` and `cmap` (OpenType specification, formats 4 and 12).
"""

import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class FontMetrics:
    """Widths are in font units, `units_per_em` of them make one em."""

    units_per_em: int
    line_units: int
    """Height of a line as libass counts it (Windows ascent + descent): an ASS font size is this many units."""
    ascent_units: int
    cap_height_units: int
    glyph_of: dict[int, int]
    advances: tuple[int, ...]

    def has(self, character: str) -> bool:
        return self.glyph_of.get(ord(character), 0) != 0

    def width(self, text: str, font_size: float) -> float:
        """Width in pixels of `text` at an ASS `font_size`, without kerning."""
        last = len(self.advances) - 1
        units = sum(self.advances[min(self.glyph_of.get(ord(character), 0), last)] for character in text)
        return units * font_size / self.line_units

    def cap_height(self, font_size: float) -> float:
        return self.cap_height_units * font_size / self.line_units

    def ascent(self, font_size: float) -> float:
        return self.ascent_units * font_size / self.line_units


@cache
def read_font_metrics(path: Path) -> FontMetrics:
    """Metrics of a TrueType file. Raises ValueError when the file has no Unicode character map."""
    data = path.read_bytes()
    tables = _tables(data)
    head, hhea, os2 = tables["head"], tables["hhea"], tables["OS/2"]
    units_per_em = struct.unpack_from(">H", data, head + 18)[0]
    advance_count = struct.unpack_from(">H", data, hhea + 34)[0]
    advances = struct.unpack_from(f">{advance_count * 2}H", data, tables["hmtx"])[::2]
    ascent, descent = struct.unpack_from(">HH", data, os2 + 74)
    has_cap_height = struct.unpack_from(">H", data, os2)[0] >= 2
    cap_height = struct.unpack_from(">h", data, os2 + 88)[0] if has_cap_height else round(units_per_em * 0.7)
    return FontMetrics(
        units_per_em, ascent + descent, ascent, cap_height, _character_map(data, tables["cmap"]), tuple(advances)
    )


def _tables(data: bytes) -> dict[str, int]:
    count = struct.unpack_from(">H", data, 4)[0]
    records = (struct.unpack_from(">4sIII", data, 12 + 16 * index) for index in range(count))
    return {tag.decode("ascii"): offset for tag, _, offset, _ in records}


def _character_map(data: bytes, cmap: int) -> dict[int, int]:
    count = struct.unpack_from(">H", data, cmap + 2)[0]
    found: dict[int, int] = {}
    for index in range(count):
        start = cmap + struct.unpack_from(">HHI", data, cmap + 4 + 8 * index)[2]
        table_format = struct.unpack_from(">H", data, start)[0]
        if table_format == 12:
            return _groups(data, start)
        if table_format == 4:
            found = _segments(data, start)
    if not found:
        raise ValueError("the font has no Unicode character map")
    return found


def _groups(data: bytes, start: int) -> dict[int, int]:
    """Format 12: ranges of code points that map to consecutive glyphs."""
    count = struct.unpack_from(">I", data, start + 12)[0]
    found: dict[int, int] = {}
    for index in range(count):
        first, last, glyph = struct.unpack_from(">III", data, start + 16 + 12 * index)
        found.update((code, glyph + code - first) for code in range(first, last + 1))
    return found


def _segments(data: bytes, start: int) -> dict[int, int]:
    """Format 4: segments of 16-bit code points, each with a delta or an offset into the glyph list behind."""
    count = struct.unpack_from(">H", data, start + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", data, start + 14)
    starts = struct.unpack_from(f">{count}H", data, start + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", data, start + 16 + 4 * count)
    offsets_at = start + 16 + 6 * count
    offsets = struct.unpack_from(f">{count}H", data, offsets_at)
    found: dict[int, int] = {}
    for index in range(count):
        for code in range(starts[index], min(ends[index], 0xFFFE) + 1):
            if offsets[index] == 0:
                glyph = code
            else:
                at = offsets_at + 2 * index + offsets[index] + 2 * (code - starts[index])
                glyph = struct.unpack_from(">H", data, at)[0]
                if glyph == 0:
                    continue
            found[code] = (glyph + deltas[index]) & 0xFFFF
    return found
