"""Training: what `tfpose train` does around keras `fit`. Read `loop.py` first."""
