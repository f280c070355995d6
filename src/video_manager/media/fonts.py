"""The fonts that may be burned into a picture: static files from font packages, never the system's."""

import re
import shutil
import unicodedata
from enum import Enum
from importlib.resources import files
from pathlib import Path

from video_manager.errors import PermanentError
from video_manager.media.font_metrics import FontMetrics, read_font_metrics


class Font(Enum):
    """(name as libass knows it, package, file). Variable fonts are left out: libass draws them as another font."""

    ANTON = ("Anton", "fontpkg_anton", "Anton-Regular.ttf")
    BEBAS_NEUE = ("Bebas Neue", "fontpkg_bebas_neue", "BebasNeue-Regular.ttf")
    POPPINS_EXTRA_BOLD = ("Poppins ExtraBold", "fontpkg_poppins", "Poppins-ExtraBold.ttf")
    POPPINS_SEMI_BOLD = ("Poppins SemiBold", "fontpkg_poppins", "Poppins-SemiBold.ttf")

    @property
    def family(self) -> str:
        return self.value[0]

    @property
    def path(self) -> Path:
        return Path(str(files(self.value[1]).joinpath("files", self.value[2])))

    @property
    def metrics(self) -> FontMetrics:
        return read_font_metrics(self.path)


def prepare_fonts_folder(folder: Path, fonts: frozenset[Font]) -> Path:
    """Put just these fonts into `folder`, to be given to libass as `fontsdir`."""
    folder.mkdir(parents=True, exist_ok=True)
    for font in fonts:
        shutil.copyfile(font.path, folder / font.path.name)
    return folder


_TYPOGRAPHIC = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2212": "-",
    "\u2026": "...", "\u00a0": " ", "\u2192": "to", "\u00d7": "x",
})  # fmt: skip


def drawable(text: str, font: Font) -> str:
    """`text` with what the font lacks replaced by its closest plain form (ż to z, “ to ") or else left out."""
    metrics = font.metrics
    if all(metrics.has(character) or character.isspace() for character in text):
        return text
    shown = []
    for character in text:
        if metrics.has(character) or character.isspace():
            shown.append(character)
            continue
        plain = unicodedata.normalize("NFKD", character.translate(_TYPOGRAPHIC))
        shown.append("".join(part for part in plain if metrics.has(part)))
    return "".join(shown)


_SELECTION = re.compile(r"fontselect: \((?P<asked>.+?), \d+, \d+\) -> (?P<got>.+)")
_PATH_OR_NAME = re.compile(r"[^\w]")


def require_fonts_were_used(log: str, fonts: frozenset[Font]) -> None:
    """Check libass's own words in ffmpeg's log: without a matching font it draws another one, or nothing, and
    ffmpeg ends well. Raises PermanentError."""
    selected = [match.groupdict() for match in _SELECTION.finditer(log)]
    wanted = {font.family: _PATH_OR_NAME.sub("", font.path.stem).lower() for font in fonts}
    for selection in selected:
        expected = wanted.get(selection["asked"])
        if expected is None or expected not in _PATH_OR_NAME.sub("", selection["got"]).lower():
            raise PermanentError(
                f"The captions were not drawn with the font {selection['asked']} but with {selection['got']}. "
                "The font packages are damaged: run `video-manager doctor`.",
                log[-2000:],
            )
    unseen = set(wanted) - {selection["asked"] for selection in selected}
    if unseen:
        raise PermanentError(f"The font {', '.join(sorted(unseen))} was never loaded; no captions were drawn.")
    if "failed to find any fallback with glyph" in log or "Glyph 0x" in log:
        raise PermanentError(f"The font lacks a character of the captions: {_glyph_line(log)}", log[-2000:])


def _glyph_line(log: str) -> str:
    return next((line.strip() for line in log.splitlines() if "glyph" in line.lower()), "")
