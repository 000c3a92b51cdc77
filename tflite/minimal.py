"""People on a photo by a file that decodes itself: LiteRT, Pillow and NumPy, and nothing of tfpose.

    python minimal.py decoded_int8.tflite photo.jpg      # a network of one person: its "padding" in pose.json besides

Prints x, y in pixels of the photo and a score for every keypoint of everybody, in the order of pose.json's keypoints.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

file, photo, padding = (*sys.argv[1:], "1")[:3]
network = Interpreter(file).get_signature_runner()
((name, details),) = network.get_input_details().items()
height, width = (int(n) for n in details["shape"][1:3])
image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
# The whole photo in the middle of the view, bilinear, zeros around it.
factor = min(width / image.width, height / image.height) / float(padding)
left, top = (width - factor * image.width) / 2, (height - factor * image.height) / 2
back = (1 / factor, 0, -left / factor, 0, 1 / factor, -top / factor)
view = np.asarray(image.transform((width, height), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR))
scale, zero = details["quantization"]
if scale:  # an int8 file has its own grey levels
    view = np.clip(np.rint(view / scale) + zero, 0, 255).astype(np.uint8)
found = network(**{name: view[None]})
for person, score in zip(found["keypoints"][0, : found["count"][0]], found["scores"][0]):
    print(f"person, score {score:.2f}")
    for x, y, seen in person:  # a whole number is the centre of a pixel
        print(f"  {(x + 0.5 - left) / factor - 0.5:.1f} {(y + 0.5 - top) / factor - 0.5:.1f} {seen:.2f}")
