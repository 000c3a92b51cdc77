"""`tfpose sweep`: the same training with other values, many times over, and which of them was best."""
