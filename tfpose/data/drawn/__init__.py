"""Drawn people: figures, clothes, places and things, and what is seen of whom."""
