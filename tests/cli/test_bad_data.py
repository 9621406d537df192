"""Data that do not suit a network: one message, exit code 2, nothing written."""

from pathlib import Path

import numpy as np
import torch
from made_task import arrays, change_graph, untrained

from spear_deploy.network import save_model_file


def test_data_of_another_shape_is_told(refused):
    np.savez("samples.npz", **arrays(shape=(1, 6, 7)))
    assert refused("model.pt") == "samples.npz: samples are 1 x 6 x 7 a time step, the network takes 1 x 6 x 6"


def test_labels_beyond_the_outputs_are_told(refused):
    np.savez("samples.npz", **arrays(classes=5))
    message = refused("model.pt")
    assert message == "samples.npz: labels go up to 4, the network has 4 outputs (labels 0 to 3)"


def test_negative_labels_are_told(refused):
    content = arrays()
    content["y_test"][0] = -2
    np.savez("samples.npz", **content)
    assert refused("model.pt") == (
        "samples.npz: labels start at 0, y_test holds -2; where they are values that a regression is to tell, write"
        " y.astype('float32')"
    )


def test_training_data_of_one_class_is_told(refused):
    content = arrays(train=40)
    content["y_train"][:] = 2
    np.savez("samples.npz", **content)
    message = refused("model.pt")
    assert message == "samples.npz: all 34 training samples are of class 2; fine-tuning needs two classes or more"


def test_labels_of_which_some_are_missing_are_told(refused):
    content = arrays()
    del content["y_train"]
    np.savez("samples.npz", **content)
    assert refused("model.pt") == (
        "samples.npz: needs x_train, y_train, x_test, y_test; missing y_train, found x_test, x_train, y_test;"
        " without any labels (no y_...), the network's own classes serve"
    )


def test_a_network_that_gives_one_class_to_all_cannot_label_data(refused):
    content = arrays(train=40)
    np.savez("samples.npz", x_train=content["x_train"], x_test=content["x_test"])
    change_graph(lambda nodes: nodes["fc"]["bias"].copy_(torch.tensor([-99.0, -99.0, 99.0, -99.0])))
    message = refused("model.pt")
    assert message.startswith("samples.npz: the network gives class 2 to all 34 training samples")
    assert "give labels (y_train, y_test)" in message


def test_data_with_nan_is_told(refused):
    content = arrays()
    content["x_train"][0, 0, 0, 0] = np.nan
    np.savez("samples.npz", **content)
    assert refused("model.pt").startswith("samples.npz: x_train holds values that are not finite")


def test_missing_data_is_named(refused):
    Path("samples.npz").rename("moved.npz")
    assert refused("model.pt") == "samples.npz: no such data file"


def test_unknown_data_is_told_with_the_known_ones(refused):
    assert refused("--data", "cifar", "model.pt").startswith("no data set called 'cifar'; known: digits")


def test_a_model_that_does_not_name_its_data_is_told_what_to_type(refused):
    save_model_file(untrained(data=None), "model.pt")
    message = refused("model.pt")
    assert message == "model.pt: the model does not name its data; give --data digits or --data file.npz"
