"""Photos as the emulator keeps them: checked, upright, small, JPEG."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

MAX_PHOTO_BYTES = 20 << 20
_MAX_PIXELS = 50_000_000  # 400 MB while it is decoded, with transparency
_MAX_LENGTH = 32_768  # of a side: no camera has more, and no decoder has to survive it
_MAX_SIDE = 512  # as a video shows it, so that a thousand photos fit in memory
# The formats of phones, cameras and the web; Pillow knows many more, some of which start other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


class PhotoError(ValueError):
    """The bytes are no image that can be shown."""


def prepare_photo(data: bytes) -> bytes:
    """Make a photo fit to be kept in memory.

    :param data: an image file: JPEG, PNG, WebP, GIF, BMP or TIFF.
    :return: the same picture as JPEG, upright, at most 512 pixels on its longer side.
    :raises PhotoError: if it is no such image, or one of more than 50 megapixels or 32,768 pixels a side.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            # Before anything is decoded.
            if image.width * image.height > _MAX_PIXELS or max(image.size) > _MAX_LENGTH:
                raise PhotoError(f"an image of {image.width}x{image.height} pixels is too large")
            image.thumbnail((_MAX_SIDE, _MAX_SIDE))
            upright = ImageOps.exif_transpose(image)
            flat = Image.new("RGB", upright.size, "white")
            if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
                upright = upright.convert("RGBA")
                flat.paste(upright, mask=upright.getchannel("A"))
            else:
                flat.paste(upright.convert("RGB"))
    except PhotoError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as e:  # before we see its size
        raise PhotoError(f"an image of more than {_MAX_PIXELS} pixels is too large") from e
    except Exception as e:  # a decoder raises anything on bytes that are no image
        raise PhotoError(
            "it is not an image that the emulator can read (JPEG, PNG, WebP, GIF, BMP, TIFF)"
        ) from e
    jpeg = io.BytesIO()
    flat.save(jpeg, "JPEG", quality=90)
    return jpeg.getvalue()
