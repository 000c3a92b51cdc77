"""From a trained network to the files that ship: SavedModel, .tflite, the bundle around them, and its verification."""
