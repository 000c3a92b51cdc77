"""A photo that is broken inside is named when training meets it."""

import folders
import pytest
import tensorflow as tf

from tfpose.data import coco, pipeline, undecodable
from tfpose.skeleton import COCO17


@pytest.fixture
def records(tmp_path):
    """Two people in two photos, the second broken in its tables: its head and its end are as they should be."""
    images = [folders.photo(tmp_path, i) for i in (1, 2)]
    content = bytearray((tmp_path / "000002.jpg").read_bytes())
    tables = content.index(b"\xff\xc4")
    content[tables + 4 : tables + 60] = b"\xee" * 56
    (tmp_path / "000002.jpg").write_bytes(content)
    annotations = folders.write(tmp_path, images, [folders.person(i, i) for i in (1, 2)])
    return coco.load(annotations, tmp_path, COCO17).records


def test_only_broken_photos_are_found(records):
    assert undecodable.undecodable(records) == [records[1].path]


@pytest.mark.parametrize("warp", ["graph", "opencv"])
def test_the_pipelines_error_about_a_broken_photo_becomes_one_that_names_it(records, warp):
    views = pipeline.validation(
        records, lambda s: s["image"], size=(64, 48), padding=1.25, skeleton=COCO17, batch=1, warp=warp
    )
    with pytest.raises(ValueError, match=r"000002.jpg"), undecodable.naming(records):
        list(views)


def test_an_error_about_something_else_stays_what_it_is(records):
    with pytest.raises(tf.errors.InvalidArgumentError), undecodable.naming(records[:1]):
        tf.reshape(tf.zeros(3), [2, 2])
