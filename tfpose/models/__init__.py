"""The networks: functions from tensor to tensor, of Keras layers and keras.ops only: TensorFlow and JAX run them."""
