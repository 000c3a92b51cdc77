"""Where the three languages meet: one small file per system. Read `base.py`, then `ppnet.py`."""
