"""Annotation files -> records -> views, in TensorFlow graph ops. Read `coco.py`, then `pipeline.py`."""
