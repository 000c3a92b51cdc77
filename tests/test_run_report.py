"""The report of a run: what a page says is what is in the folder, it loads nothing, and it costs next to nothing."""

import base64
import csv
import io
import json
import os
import re
import shutil
import signal
import time
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
import tiny
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfpose import cli, evaluate, precision
from tfpose.data.coco import Record
from tfpose.evaluate import coco_ap
from tfpose.poses import Poses
from tfpose.skeleton import COCO17
from tfpose.train import loop
from tfpose.watch import accuracy, report, samples, status, svg

VOID = {"meta", "link", "img", "progress"}


class Page(HTMLParser):
    """A page's tags with their attributes, its words, and whether every tag that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID - {"progress"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page(folder):
    return Page((folder / report.FILE).read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A copy of the tiny run, which was finished, and evaluated by the command line."""
    folder = tmp_path_factory.mktemp("report") / "run"
    # Other tests may have evaluated the tiny run before.
    shutil.copytree(tiny.run(), folder, ignore=shutil.ignore_patterns(accuracy.FILE))
    assert cli.main(["evaluate", str(folder), "evaluate.flip=none"]) == 0
    return folder


def test_a_page_is_whole_and_loads_nothing(run):
    found = page(run)
    assert found.open == [] and not found.of("script") and not found.of("iframe")
    addresses = [a for _, tag in found.tags for n, a in tag.items() if n in ("src", "href", "action", "srcset")]
    assert addresses and all(address.startswith("data:") for address in addresses)
    assert "url(" not in (run / report.FILE).read_text() and "@import" not in (run / report.FILE).read_text()


def test_a_page_says_what_is_trained_how_it_stands_and_how_it_goes_on(run):
    words = page(run).words
    assert "ppnet 64x48" in words and "43,298" in words and "16 images, 26 people" in words
    assert "finished" in words and "2 of 2" in words and "6 of 6" in words
    assert f"tfpose train {run}/config.yaml --workdir {run}" in words and "stem_width: 8" in words
    assert keras.__version__ in words


def test_every_picture_of_a_page_has_words_for_those_who_do_not_see_it(run):
    found = page(run)
    assert len(found.of("img")) == 8 and all("truth and what was found" in image["alt"] for image in found.of("img"))
    assert found.of("svg") and all(figure["role"] == "img" and figure["aria-label"] for figure in found.of("svg"))
    assert found.of("html") == [{"lang": "en"}] and not [m for m in found.of("meta") if m.get("http-equiv")]


def test_the_page_of_a_run_that_is_running_asks_for_itself_anew(run):
    status.write(run, status.RUNNING)
    report.write(run)
    assert {"http-equiv": "refresh", "content": "30"} in page(run).of("meta")
    status.write(run, status.FINISHED)
    report.write(run)


def test_the_curves_go_through_the_figures_of_the_log(run):
    with (run / "log.csv").open(newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    titles = re.findall(r"<title>validation, epoch (\d): ([^<]*)</title>", (run / report.FILE).read_text())
    assert [(e, float(v)) for e, v in titles[:2]] == [
        (str(i), pytest.approx(v, rel=1e-3)) for i, v in enumerate(losses, 1)
    ]


def test_an_evaluation_is_a_row_and_one_like_it_takes_its_place(run):
    assert cli.main(["evaluate", str(run), "evaluate.flip=none"]) == 0
    (row,) = accuracy.read(run)
    assert row["options"] == "flip=none" and row["what"] == "annotation boxes" and "AP50" in row["figures"]
    assert cli.main(["evaluate", str(run)]) == 0
    assert [row["options"] for row in accuracy.read(run)] == ["flip=none", ""]
    assert "as configured" in page(run).words and "AP50" in page(run).words


def test_the_best_and_the_worst_are_ranked_and_their_pictures_can_be_seen(run):
    content = json.loads((run / samples.FILE).read_text())
    best, worst = ([one["likeness"] for one in content[name]] for name in ("best", "worst"))
    assert best == sorted(best, reverse=True) and worst == sorted(worst) and max(worst) <= min(best)
    for one in content["best"] + content["worst"]:
        with Image.open(io.BytesIO(base64.b64decode(one["jpeg"]))) as picture:
            assert picture.format == "JPEG" and max(picture.size) > samples.SIDE


def test_precision_and_recall_are_a_curve_of_tensorboards_own_plugin(run):
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"tensors": 0}).Reload()
    assert set(events.PluginTagToContent("pr_curves")) == {f"people/OKS {s:g}/pr_curves" for s in (0.5, 0.75)}
    values = events.Tensors("people/OKS 0.5/pr_curves")[-1].tensor_proto.tensor_content
    right, wrong, none, missed, precise, recall = np.frombuffer(values, np.float32).reshape(6, -1)
    assert (right + missed == 10).all() and (none == 0).all() and 5 < right[0] + wrong[0] <= 10
    np.testing.assert_allclose(recall, right / 10, atol=1e-6)
    np.testing.assert_allclose(precise, np.where(right + wrong > 0, right / np.maximum(right + wrong, 1), 1), atol=1e-6)


def scene(seed=0, count=40):
    """The content of a COCO file with people, and results: some where they are, some beside, with scores."""
    draw = np.random.default_rng(seed)
    images, people, results = [], [], []
    for i in range(1, count + 1):
        images.append({"id": i, "file_name": f"{i}.jpg", "width": 200, "height": 200})
        points = draw.uniform(20, 180, (17, 2))
        keypoints = np.column_stack([points, np.full(17, 2)]).ravel().tolist()
        person = {"id": i, "image_id": i, "category_id": 1, "bbox": [20, 20, 160, 160], "area": 9000.0}
        people.append(person | {"keypoints": keypoints, "num_keypoints": 17, "iscrowd": 0})
        found = np.column_stack([points + draw.normal(0, draw.choice([2, 60])), np.ones(17)]).ravel().tolist()
        results.append({"image_id": i, "category_id": 1, "keypoints": found, "score": float(draw.uniform(0.1, 0.9))})
    return {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]}, results


def test_the_area_under_the_curve_is_cocos_ap():
    truth, results = scene()
    found = precision.curves(evaluate.content(truth), results, list(range(1, 41)), COCO17.sigmas)
    for similar, name in ((0.5, "AP50"), (0.75, "AP75")):
        curve = found[similar].shown()
        recall, precise = np.array(curve["recall"]), np.maximum.accumulate(curve["precision"][::-1])[::-1]
        area = np.mean([max(precise[recall >= r - 1e-9], default=0) for r in np.linspace(0, 1, 101)])
        assert 0.1 < area < 0.9 and area == pytest.approx(coco_ap(truth, results)[name], abs=0.03)


def record(keypoints, image_id=1):
    boxes = np.array([[10, 10, 80, 80]] * len(keypoints), np.float32)
    ids = np.arange(len(keypoints))
    return Record(image_id, "", 100, 100, keypoints, boxes, boxes[:, 2] * boxes[:, 3], ids)


def people(*shifts):
    """Keypoints of people who are moved to the right by so many pixels."""
    base = np.random.default_rng(2).uniform(20, 80, (17, 2))
    return np.stack([np.column_stack([base + (s, 0), np.ones(17)]) for s in shifts]).astype(np.float32)


def found(keypoints):
    return Poses(keypoints, np.linspace(1, 0.5, len(keypoints)), np.zeros((len(keypoints), 4), np.float32))


def test_who_is_found_where_he_is_is_like_himself_and_who_is_missed_counts_nothing():
    two = record(people(0, 300))
    assert samples.likeness(found(people(300, 0)), two, COCO17) == pytest.approx(1)
    assert samples.likeness(found(people(0)), two, COCO17) == pytest.approx(0.5)
    assert samples.likeness(found(people(0, 0)), two, COCO17) == pytest.approx(0.5, abs=1e-3)
    assert samples.likeness(found(people(0)[:0]), two, COCO17) == 0


def test_a_photo_on_which_nobody_is_labelled_has_no_rank():
    nobody = record(people(0) * (1, 1, 0))
    assert samples.pairs([nobody, record(people(0))], [found(people(0))] * 2, COCO17)[0].likeness == pytest.approx(1)
    assert len(samples.pairs([nobody], [found(people(0))], COCO17)) == 1 - 1


def test_the_picture_of_labels_alone_is_drawn_on_grey():
    (pair,) = samples.pairs([record(people(0))], [found(people(5))], COCO17)
    picture = samples.picture(pair, samples.photo(pair.record), COCO17)
    assert picture.shape[1] > 2 * samples.SIDE and (picture == samples.NIGHT).mean() > 0.3


def test_the_numbers_of_an_axis_lie_on_it_and_are_few():
    for values in ([0, 1], [3, 3], [-5, 900], [1e-7, 3e-7], [1, 2]):
        axis = svg.axis(values)
        assert 2 <= len(axis.ticks) <= 7 and all(-1e-9 <= axis.share(t) <= 1 + 1e-9 for t in axis.ticks)
    axis = svg.axis([1e-7, 10.0], log=True)
    assert axis.share(1e-3) == pytest.approx(0.5) and len(axis.ticks) <= 9
    assert all(tick == int(tick) for tick in svg.axis([1, 2, 3], whole=True).ticks)


def test_a_name_is_shown_as_it_stands_and_runs_nothing(tmp_path):
    status.write(tmp_path, status.FAILED, "<script>alert(1)</script>")
    report.write(tmp_path)
    assert not page(tmp_path).of("script") and "<script>alert(1)" in page(tmp_path).words


def test_the_page_of_a_long_run_takes_milliseconds(tmp_path):
    with (tmp_path / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "learning_rate", "loss", "heatmaps_0", "heatmaps_1", "val_loss"])
        rows.writerows([e, 1e-3, *np.random.default_rng(e).random(4)] for e in range(1, 501))
    times = []
    for _ in range(5):
        start = time.process_time()
        report.write(tmp_path)
        times.append(time.process_time() - start)
    assert min(times) < 0.1


class Counting(keras.callbacks.Callback):
    """What a user's own callback is told."""

    def __init__(self):
        super().__init__()
        self.begun, self.steps, self.epochs = 0, 0, []

    def on_train_begin(self, logs=None):  # noqa: ARG002
        self.begun += 1
        self.model.summary(print_fn=lambda *_, **__: None)  # what loggers of experiments ask for
        assert self.model.optimizer.get_config() and float(self.model.optimizer.learning_rate) > 0

    def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002
        self.steps += 1

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, set(logs)))


@pytest.mark.slow
def test_callbacks_of_ones_own_see_every_step_and_the_trace_of_some_is_kept(tmp_path):
    counting = Counting()
    config = tiny.config("train.profile=[2, 3]", "train.pictures=0")
    loop.train(config, tmp_path / "run", callbacks=[counting])
    assert (counting.begun, counting.steps) == (1, 6) and [e for e, _ in counting.epochs] == [0, 1]
    assert {"loss", "val_loss", "heatmaps_0"} <= counting.epochs[0][1]
    assert list((tmp_path / "run" / "tensorboard" / "plugins" / "profile").glob("*/*.xplane.pb"))
    line = status.read(tmp_path / "run")
    assert (line["state"], line["epoch"], line["step"]) == ("finished", 2, 6) and line["images/s"] > 0
    assert not (tmp_path / "run" / samples.FILE).exists() and page(tmp_path / "run").of("img") == []


class Asking(keras.callbacks.Callback):
    """Asks its own process to stop after the second step."""

    def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002
        if batch == 1:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.slow
def test_a_run_that_is_asked_to_stop_says_where_it_was_saved(tmp_path):
    with pytest.raises(SystemExit):
        loop.train(tiny.config("train.pictures=0"), tmp_path, callbacks=[Asking()])
    line = status.read(tmp_path)
    assert line["state"] == "stopped" and line["message"] == "stopped: SIGTERM, saved after step 2 of epoch 1"
    assert "saved after step 2 of epoch 1" in page(tmp_path).words
    assert not [m for m in page(tmp_path).of("meta") if m.get("http-equiv")]


def test_a_run_that_fails_says_why_in_its_line_and_on_its_page(tmp_path):
    with pytest.raises(ValueError, match="no such annotation file"):
        loop.train(tiny.config("data.train.annotations=missing.json"), tmp_path)
    assert status.read(tmp_path)["message"].startswith("failed: missing.json: no such annotation file")
    assert "missing.json" in page(tmp_path).words
