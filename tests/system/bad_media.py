"""Files as people really send them: cut off, mislabelled, turned, absurd. Each is made from nothing by ffmpeg."""

import struct
import subprocess
import zlib
from pathlib import Path

from video_manager.media.ffmpeg_binary import ffmpeg_path

_PATTERN = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=2")
_TONE = ("-f", "lavfi", "-i", "sine=d=2:sample_rate=48000")
_ENCODE = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac")


def run_ffmpeg(*arguments: str | Path) -> None:
    command = [ffmpeg_path(), "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)


class MediaFolder:
    """`folder["name"]` is the file of that name, made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            make = getattr(self, "_" + name.replace("-", "_").replace(".", "_"))
            make(path)
        return path

    # ---- videos that are fine ---------------------------------------------------------------------------------

    def _good_mp4(self, path: Path) -> None:
        run_ffmpeg(*_PATTERN, *_TONE, *_ENCODE, "-movflags", "+faststart", path)

    def _variable_mp4(self, path: Path) -> None:
        select = "select='not(mod(n,7))+lt(mod(n,5),2)'"
        run_ffmpeg("-i", self["good.mp4"], "-vf", select, "-fps_mode", "vfr", *_ENCODE, path)

    def _rotated_mp4(self, path: Path) -> None:
        run_ffmpeg("-display_rotation", "90", "-i", self["good.mp4"], "-c", "copy", path)

    def _moving_gif(self, path: Path) -> None:
        run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=2", path)

    # ---- videos that are not ----------------------------------------------------------------------------------

    def _corrupt_mp4(self, path: Path) -> None:
        """Both ends are whole, so that it opens; everything between them is rubbish."""
        whole = self["good.mp4"].read_bytes()
        path.write_bytes(whole[:5000] + bytes((n * 37) % 256 for n in range(len(whole) - 6000)) + whole[-1000:])

    def _truncated_mp4(self, path: Path) -> None:
        whole = self["good.mp4"].read_bytes()
        path.write_bytes(whole[: len(whole) // 2])

    def _truncated_without_index_mp4(self, path: Path) -> None:
        """The index stood at the end, as most cameras write it."""
        at_end = path.with_name("index-at-end.mp4")
        run_ffmpeg("-i", self["good.mp4"], "-c", "copy", at_end)
        whole = at_end.read_bytes()
        path.write_bytes(whole[: len(whole) * 3 // 4])

    def _text_mp4(self, path: Path) -> None:
        path.write_text("This is a shopping list and no video.\n" * 200)

    def _sound_mp4(self, path: Path) -> None:
        run_ffmpeg(*_TONE, "-c:a", "aac", path)

    def _dot_mkv(self, path: Path) -> None:
        run_ffmpeg("-f", "lavfi", "-i", "color=red:s=1x1:r=30:d=1", "-c:v", "ffv1", "-pix_fmt", "yuv444p", path)

    def _still_png(self, path: Path) -> None:
        run_ffmpeg(*_PATTERN, "-frames:v", "1", path)

    def _huge_gif(self, path: Path) -> None:
        """A GIF of 65 535 x 65 535 pixels in a few kilobytes."""
        whole = bytearray(self["moving.gif"].read_bytes())
        whole[6:10] = struct.pack("<HH", 65535, 65535)
        path.write_bytes(whole)

    def _huge_mkv(self, path: Path) -> None:
        """Two seconds of 16 000 x 16 000 pixels: 768 MB a decoded picture, 1.5 MB in all."""
        picture = path.with_name("huge.png")
        picture.write_bytes(flat_png(16_000, 16_000))
        run_ffmpeg("-f", "image2", "-loop", "1", "-framerate", "1", "-i", picture, "-t", "2", "-c", "copy", path)

    def _outsize_avi(self, path: Path) -> None:
        """An AVI whose header claims 60 000 x 60 000 pixels of raw video for its two seconds."""
        run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=2", "-c:v", "rawvideo", "-pix_fmt", "bgr24", path)
        whole = bytearray(path.read_bytes())
        at = whole.index(b"strf") + 8 + 4
        whole[at : at + 8] = struct.pack("<ii", 60_000, 60_000)
        path.write_bytes(whole)

    # ---- pictures -----------------------------------------------------------------------------------------------

    def _good_jpg(self, path: Path) -> None:
        run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=640x480:d=1", "-frames:v", "1", path)

    def _no_picture_jpg(self, path: Path) -> None:
        path.write_text("Not a picture at all.\n" * 100)

    def _truncated_jpg(self, path: Path) -> None:
        whole = self["good.jpg"].read_bytes()
        path.write_bytes(whole[: len(whole) // 2])

    def _dot_png(self, path: Path) -> None:
        path.write_bytes(flat_png(1, 1))

    def _bomb_png(self, path: Path) -> None:
        """30 000 x 30 000 pixels in 2.6 MB: 2.7 GB once decoded."""
        path.write_bytes(flat_png(30_000, 30_000))

    def _large_png(self, path: Path) -> None:
        path.write_bytes(flat_png(15_000, 15_000))

    def _page_html(self, path: Path) -> None:
        path.write_text("<html><body>404 not found</body></html>")


def flat_png(width: int, height: int) -> bytes:
    """A black PNG of that size, written without ever making its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = _deflated_zeros(height * (1 + width * 3))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _deflated_zeros(count: int) -> bytes:
    """A zlib stream of so many zeros: one packed piece again and again, as each stands for itself."""
    piece = 1 << 20
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, wbits=-15)
    end = rest.compress(bytes(count % piece)) + rest.flush()
    checksum = struct.pack(">HH", count % 65521, 1)  # Adler-32 of zeros
    return b"\x78\xda" + packed * (count // piece) + end + checksum
