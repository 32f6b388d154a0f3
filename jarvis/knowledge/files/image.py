"""Pictures by what their files say of them: when, with what and where they were taken, and how somebody described them.
For that only the head of a file is read; a picture is unpacked, within bounds, to be shown to a model that sees."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jarvis.core.errors import not_installed
from jarvis.knowledge.files.opening import opened, refused
from jarvis.knowledge.files.outline import Outline
from jarvis.plugins.kinds import FileLimits, FileText

MAX_POINTS = 50_000_000
"""Of a picture that is unpacked: 200 MB; cameras make half as many."""
SHOWN_POINTS = 768
"""Of the longer side, as it is shown to a model: enough to read a sign, and about a thousand tokens."""
MAX_SAID_CHARS = 2_000
"""Of one description; more is no caption."""
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF")
_DESCRIPTION, _MAKER, _MODEL, _AUTHOR, _TAKEN, _CHANGED = 0x010E, 0x010F, 0x0110, 0x013B, 0x9003, 0x0132
_EXIF, _GPS = 0x8769, 0x8825


@dataclass(frozen=True, slots=True)
class Image:
    name: str = "image"
    suffixes: frozenset[str] = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        try:
            from PIL import Image as Pictures
        except ImportError:
            raise not_installed("Pillow", "knowledge") from None
        outline = Outline(path, limits)
        with opened(path, limits) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes that would matter only to who unpacks it
            try:
                with Pictures.open(file, formats=_FORMATS) as picture:
                    facts = _facts(picture)
            except (OSError, ValueError, SyntaxError, Pictures.DecompressionBombError):
                raise refused(path, "is not a picture that can be read") from None
        outline.add("\n".join([f"Picture {path.stem.replace('_', ' ')}.", *facts]), place="")
        return outline.text(path.name)


def scaled(path: Path, limits: FileLimits) -> bytes:
    """A picture as a small JPEG, upright and without what its file says of it, such as where it was taken. Raises
    InvalidInput."""
    from PIL import Image as Pictures
    from PIL import ImageOps

    with opened(path, limits) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its size, which is looked at below
        try:
            with Pictures.open(file, formats=_FORMATS) as picture:
                if picture.width * picture.height > MAX_POINTS:
                    raise refused(path, f"has more than {MAX_POINTS} points")
                picture.draft("RGB", (SHOWN_POINTS, SHOWN_POINTS))  # a JPEG is unpacked at half its size or less
                small = ImageOps.exif_transpose(picture)
                small.thumbnail((SHOWN_POINTS, SHOWN_POINTS))
                plain = Pictures.new("RGB", small.size, "white")
                shown = small.convert("RGBA")
                plain.paste(shown, mask=shown)
        except (OSError, ValueError, SyntaxError, Pictures.DecompressionBombError):
            raise refused(path, "is not a picture that can be read") from None
    jpeg = io.BytesIO()
    plain.save(jpeg, "JPEG", quality=80)
    return jpeg.getvalue()


def _facts(picture: Any) -> list[str]:
    from PIL.Image import Image

    exif = Image.getexif(picture)  # a PNG's own would unpack it, in case there is more behind the picture
    told = [
        _said(exif.get(_DESCRIPTION)),
        *(_said(picture.info.get(key)) for key in ("Title", "Description", "comment")),
    ]
    camera = " ".join(filter(None, (_said(exif.get(_MAKER)), _said(exif.get(_MODEL)))))
    taken = _moment(exif.get_ifd(_EXIF).get(_TAKEN) or exif.get(_CHANGED))
    author, where = _said(exif.get(_AUTHOR) or picture.info.get("Author")), _position(exif.get_ifd(_GPS))
    return [
        *(f"Description: {one}" for one in dict.fromkeys(filter(None, told))),
        *([f"Taken on {taken}."] if taken else []),
        *([f"Taken with {camera}."] if camera else []),
        *([f"Taken by {author}."] if author else []),
        *([f"Taken at {where}."] if where else []),
        f"{picture.format} of {picture.width} by {picture.height} pixels.",
    ]


def _said(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    plain = "".join(one if one.isprintable() else " " for one in str(value)) if value is not None else ""
    return " ".join(plain.split())[:MAX_SAID_CHARS]


def _moment(value: Any) -> str:
    try:
        taken = datetime.strptime(_said(value), "%Y:%m:%d %H:%M:%S")  # as EXIF writes it, in no zone
    except ValueError:
        return ""
    return f"{taken:%A} {taken.day} {taken:%B %Y at %H:%M}"


def _position(gps: Mapping[int, Any]) -> str:
    """Latitude and longitude, to about 100 m; "" when there is none. The numbers are degrees, minutes and seconds."""
    try:
        (north, east) = (
            sum(float(part) / 60**power for power, part in enumerate(gps[tag])) * (-1 if gps[tag - 1] in "SW" else 1)
            for tag in (2, 4)
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return ""
    if not (abs(north) <= 90 and abs(east) <= 180):
        return ""
    return f"{abs(north):.3f} {'north' if north >= 0 else 'south'}, {abs(east):.3f} {'east' if east >= 0 else 'west'}"
