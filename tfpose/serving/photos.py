"""What an encoded photo says of itself before anybody decodes it: its format and its size."""

import io
import warnings

from PIL import Image

from tfpose.serving.refused import Refused

FORMATS = ("JPEG", "PNG")


def pixels(photo: bytes, most: int) -> int:
    """The number of pixels of an encoded photo, from its header; Refused: 400 for no JPEG or PNG, 413 above `most`."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of large photos; here they have a limit of their own.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(photo), formats=FORMATS) as image:
                width, height = image.size
    except Image.DecompressionBombError as error:
        raise Refused(413, f"photo: {error}; expected at most {most} pixels") from error
    # Pillow raises what its parsers do, of which these are known.
    except (OSError, SyntaxError, ValueError, OverflowError, EOFError) as error:
        raise Refused(400, f"photo: {len(photo)} bytes that are no {' or '.join(FORMATS)}") from error
    if width * height > most:
        raise Refused(413, f"photo: {width} x {height} pixels; expected at most {most}")
    return width * height
