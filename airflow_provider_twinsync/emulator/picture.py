"""Photos as the emulator keeps them: checked, upright, small, JPEG."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

MAX_PHOTO_BYTES = 20 << 20
_MAX_PIXELS = 50_000_000
_MAX_SIDE = 1024


class PhotoError(ValueError):
    """The bytes are no image that can be shown."""


def prepare_photo(data: bytes) -> bytes:
    """Make a photo fit to be kept in memory.

    :param data: an image file of any format that Pillow reads.
    :return: the same picture as JPEG, upright, at most 1024 pixels on its longer side.
    :raises PhotoError: if it is no image, or one of more than 50 megapixels.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > _MAX_PIXELS:  # before anything is decoded
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
    except Exception as e:  # a decoder raises anything on bytes that are no image
        raise PhotoError("it is not an image") from e
    jpeg = io.BytesIO()
    flat.save(jpeg, "JPEG", quality=92)
    return jpeg.getvalue()
