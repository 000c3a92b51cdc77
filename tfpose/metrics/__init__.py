"""How near found keypoints are to the truth, in NumPy."""
