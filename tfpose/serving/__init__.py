"""`tfpose serve`: a bundle's SavedModel behind HTTP, as TensorFlow Serving has it, with a page to look at."""
