"""Your own `fit`: tfpose's pictures, data, method and loss, and a training script that is yours."""

import sys
from pathlib import Path

import keras

from tfpose import yaml_config
from tfpose.data import pipeline
from tfpose.data.source import load_parts
from tfpose.skeleton import skeleton
from tfpose.systems.base import system
from tfpose.train.trainee import Trainee

config = yaml_config.load("configs/tiny/ppnet_synthetic.yaml", tuple(sys.argv[2:]))
method = system(config.system, skeleton(config.data.skeleton))
parts = load_parts(config.data, method.skeleton)
views = {"size": method.size, "padding": config.data.padding, "skeleton": method.skeleton, "batch": config.train.batch}
train = pipeline.training(parts.train.records, method.encode, augment=config.augment, seed=0, **views)
validation = pipeline.validation(parts.validation.records, method.encode, **views)

trainee = Trainee(method.build(), method)
trainee.compile(optimizer=keras.optimizers.AdamW(1e-3))
steps = pipeline.people(parts.train.records) // config.train.batch
trainee.fit(train, epochs=config.train.epochs, steps_per_epoch=steps, validation_data=validation)

network = Path(sys.argv[1]) / "network.keras"
trainee.network.save(network)
method.spec(config.data.padding).save(network.with_name("pose.json"))
