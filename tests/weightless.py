"""Networks without values: layers, shapes and wiring in a second, where the weights would take gigabytes."""

import keras
from keras.src.backend.common import global_state


def built(build):
    """What `build()` builds, its weights only promised: good for counting and walking, not for computing."""
    with keras.StatelessScope():
        network = build()
        # Leaving the scope keeps every promise that is still listed; Keras has no public way to drop one.
        global_state.set_global_attribute("uninitialized_variables", [])
    return network
