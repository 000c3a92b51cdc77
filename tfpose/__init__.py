"""tfpose: human-pose networks in Keras 3 and TensorFlow, from an annotation file to an edge device."""

__version__ = "0.1.0"
