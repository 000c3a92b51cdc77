"""Keypoints -> maps, in TensorFlow ops, for a whole batch at once."""
