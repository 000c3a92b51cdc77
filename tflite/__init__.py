"""The edge runtime, run from the checkout: NumPy, ai-edge-litert, and Pillow or OpenCV; never TensorFlow."""
