"""The test-time protocol: what the `evaluate` section says reaches the maps, the decoder, the scores and the poses."""

import json
from dataclasses import replace
from pathlib import Path

import folders
import numpy as np
import pytest
import tiny

from benchmarks import test_time
from tfpose import cli, jobs, protocol, runners, yaml_config
from tfpose.config import Evaluate
from tfpose.decode import decoder
from tfpose.evaluate import ANNOTATED, DETECTED, evaluate, load_detections
from tfpose.metrics.nms import Nms
from tfpose.predict import Predictor, read_image, shifted

DARK = {"name": "topdown", "stride": 4, "refine": "dark", "blur": 5, "smooth": 3}
BOXES = [(10, 10, 40, 60), (60, 20, 40, 60)]
ONE, OTHER = Path("one/network"), Path("other/network")


def network(seed):
    """A network of one layer, a convolution of a cell's 4 x 4 pixels, in NumPy: 17 maps that look like noise."""
    weights = np.random.default_rng(seed).normal(0, 1, (48, 17)).astype(np.float32)

    def run(views):
        count, height, width, _ = views.shape
        cells = views.reshape(count, height // 4, 4, width // 4, 4, 3).swapaxes(2, 3)
        return {"heatmaps": 1 / (1 + np.exp(-(cells.reshape(*cells.shape[:3], 48) / np.float32(255) - 0.5) @ weights))}

    return run


@pytest.fixture(autouse=True)
def networks(monkeypatch):
    """Two networks that can be loaded without Keras, by the paths ONE and OTHER."""
    runs = {ONE: network(1), OTHER: network(2)}
    monkeypatch.setattr(runners, "specification", lambda _: tiny.spec())
    monkeypatch.setattr(runners, "load", lambda path: (tiny.spec(), runs[path]))


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The configuration of photos of 10 people, whose truth lies a few pixels beside what network ONE finds."""
    folder, draw = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    photos = [folders.photo(folder / "photos", i, suffix="png") for i in range(1, 6)]
    people = []
    for photo in photos:
        found = Predictor(tiny.spec(), network(1))(read_image(folder / "photos" / photo["file_name"]), BOXES)
        for box, keypoints in zip(BOXES, found.keypoints):
            points = keypoints[:, :2] + draw.normal(0, 4, (17, 2))
            known = np.column_stack([points, np.full(17, 2)]).ravel().tolist()
            people.append(folders.person(len(people) + 1, photo["id"], box, keypoints=known))
    part = f"{{annotations: {folders.write(folder, photos, people)}, images: {folder / 'photos'}}}"
    return yaml_config.defaults((*tiny.OPTIONS, f"data.validation={part}", f"data.train={part}"))


def kept(**options):
    return protocol.decoder(DARK, Evaluate(**options))


def test_the_decoder_is_pose_jsons_own_unless_something_else_is_asked_for():
    assert kept() == DARK
    assert kept(refine="dark", blur=0) == DARK | {"blur": 0}
    assert kept(smooth=5) == DARK | {"smooth": 5} and kept(smooth=0) == DARK | {"smooth": 0}
    # A blur is DARK's: other refinements have none, whatever pose.json says.
    assert decoder(kept(refine="quarter")).blur == 0 and decoder(kept(refine="dark")).blur == 5


def test_the_options_reach_the_predictor():
    options = {"flip": "shifted", "score": "keypoints", "keypoint_threshold": 0.4, "refine": "second", "smooth": 5}
    made = protocol.predictor(ONE, Evaluate(**options))
    assert (made.flip, made.score, made.keypoint_threshold) == ("shifted", "keypoints", 0.4)
    assert (made.decode.refine, made.decode.smooth) == ("second", 5)


def test_the_shifted_flip_is_the_mean_with_maps_moved_by_one_cell():
    none, aligned, moved = (protocol.predictor(ONE, Evaluate(flip=flip)) for flip in ("none", "aligned", "shifted"))
    maps = none.heatmaps(tiny.views())
    back = 2 * aligned.heatmaps(tiny.views()) - maps
    assert moved.heatmaps(tiny.views()) == pytest.approx((maps + shifted(back)) / 2, abs=1e-6)
    assert (shifted(maps)[:, :, 1:] == maps[:, :, :-1]).all() and (shifted(maps)[:, :, 0] == maps[:, :, 0]).all()


def test_an_ensemble_of_a_network_with_itself_is_that_network():
    alone, twice = (protocol.predictor(ONE, Evaluate(ensemble=others)) for others in ((), (str(ONE),)))
    assert (alone.keypoints(tiny.views()) == twice.keypoints(tiny.views())).all()


def test_an_ensemble_decodes_the_mean_of_the_maps():
    made = protocol.predictor(ONE, Evaluate(flip="none", ensemble=(str(OTHER), str(OTHER))))
    one, other = (network(seed)(tiny.views())["heatmaps"] for seed in (1, 2))
    assert made.heatmaps(tiny.views()) == pytest.approx((one + 2 * other) / 3, abs=1e-6)
    assert (made.keypoints(tiny.views()) == made.decode({"heatmaps": made.heatmaps(tiny.views())})).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"size": (128, 96)}, rf"^{OTHER}: size \(128, 96\), but {ONE} has \(64, 48\)"),
        ({"padding": 1.5}, f"^{OTHER}: padding 1.5, but {ONE} has 1.25"),
        ({"decoder": {"name": "topdown", "stride": 8}}, f"^{OTHER}: stride 8, but {ONE} has 4"),
    ],
)
def test_networks_whose_maps_have_no_mean_are_both_named(monkeypatch, change, message):
    specs = {ONE: tiny.spec(), OTHER: replace(tiny.spec(), **change)}
    monkeypatch.setattr(runners, "specification", specs.get)
    monkeypatch.setattr(runners, "load", lambda path: (specs[path], None))
    with pytest.raises(ValueError, match=message):
        protocol.predictor(ONE, Evaluate(ensemble=(str(OTHER),)))


def test_nms_is_for_detected_boxes_unless_it_is_asked_for():
    assert protocol.nms(Evaluate(), detected=False) == Nms("none")
    assert protocol.nms(Evaluate(), detected=True) == Nms("hard", 0.9)
    for detected in (False, True):
        assert protocol.nms(Evaluate(nms="soft", nms_threshold=0.5), detected=detected) == Nms("soft", 0.5)
        assert protocol.nms(Evaluate(nms="none"), detected=detected).kind == "none"


@pytest.fixture
def thrice(tmp_path):
    """Detections that find everybody twice in the same box, and once more with almost no score."""
    boxes = [{"image_id": i, "category_id": 1, "bbox": box} for i in range(1, 6) for box in BOXES]
    path = tmp_path / "detections.json"
    path.write_text(json.dumps([b | {"score": s} for b in boxes for s in (0.9, 0.8, 0.01)]))
    return path


def results(config, detections, **options):
    config = replace(config, evaluate=replace(config.evaluate, flip="none", **options))
    return {label: found.results for label, found in jobs.evaluate(ONE, config, detections).items()}


def test_who_is_detected_twice_is_reported_once_and_no_annotated_person_is_dropped(config, thrice):
    made = results(config, thrice)
    assert len(made[DETECTED]) == len(made[ANNOTATED]) == 10
    assert [r["score"] for r in made[DETECTED]] == pytest.approx([0.9 * r["score"] for r in made[ANNOTATED]], abs=1e-6)
    assert len(results(config, thrice, nms="none")[DETECTED]) == 30


def test_boxes_below_the_threshold_are_not_looked_at(config, thrice):
    assert len(results(config, thrice, nms="soft", box_threshold=0.1)[DETECTED]) == 20
    with pytest.raises(ValueError, match=r"none of 30 detections scores 0\.95; lower evaluate\.box_threshold"):
        load_detections(thrice, 0.95)


@pytest.mark.parametrize("metric", ["pck", "pckh"])
def test_a_metric_that_asks_for_everybody_refuses_nms(metric):
    with pytest.raises(ValueError, match=rf"^evaluate\.nms: found hard, but {metric} needs everybody"):
        Evaluate(metric=metric, nms="hard")
    with pytest.raises(ValueError, match=rf"^evaluate\.nms: soft, but {metric} needs everybody"):
        evaluate(protocol.predictor(ONE, Evaluate()), [], metric=metric, nms=Nms("soft"))


@pytest.mark.parametrize(
    "option, message",
    [({"nms_threshold": 0.0}, "more than 0, at most 1"), ({"keypoint_threshold": 1.0}, "expected 0 to less than 1")],
)
def test_thresholds_out_of_range_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        Evaluate(**option)


def test_the_command_line_averages_with_other_networks(config, capsys, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml_config.dump(config))
    figures = []
    for others in ([], [ONE], [OTHER, OTHER]):
        ensemble = [word for other in others for word in ("--ensemble", str(other))]
        assert cli.main(["evaluate", str(ONE), *ensemble, "--config", str(path), "--json", "evaluate.flip=none"]) == 0
        figures.append(json.loads(capsys.readouterr().out)[ANNOTATED]["AP"])
    assert figures[0] == figures[1] > figures[2]


@pytest.mark.parametrize("metric, figure", [("oks", "AP"), ("pck", "PCK")])
def test_a_row_of_the_table_of_gains_is_what_evaluate_prints(config, metric, figure):
    config = replace(config, evaluate=Evaluate(metric=metric))
    found = test_time.measure(ONE, config)
    assert len(test_time.table(found, figure).splitlines()) == 1 + len(found) and len(set(found.values())) > 5
    rows = {
        ("quarter", "shifted"): {"refine": "quarter"},
        ("dark, blur 11", "aligned"): {"refine": "dark", "blur": 11},
        ("second, smooth 5", "none"): {"refine": "second", "smooth": 5},
    }
    for (name, flip), options in rows.items():
        options = replace(config.evaluate, flip=flip, **options)
        figures = jobs.evaluate(ONE, replace(config, evaluate=options))[ANNOTATED].figures
        assert figures[figure] == found[name, flip]


def test_the_published_flip_lies_three_quarters_of_a_cell_beside_ours():
    grid = (np.arange(64) + 0.5) / 4 - 0.5

    def run(views):  # one bright column in a view is one Gaussian over the cells
        centre = grid[views[:, 0, :, 0].argmax(axis=1)][:, None, None, None]
        cells = np.arange(16)[None, None, :, None]
        return {"heatmaps": np.exp(-((cells - centre) ** 2) / 8) * np.ones((1, 16, 16, 17))}

    views = np.zeros((1, 64, 64, 3), np.uint8)
    views[:, :, 30] = 255
    made = test_time.Everything(replace(tiny.spec(), size=(64, 64)), run).averaged(views)
    means = {flip: (maps[0, 0, :, 0] @ np.arange(16) / maps[0, 0, :, 0].sum()) for flip, maps in made.items()}
    offsets = {flip: 2 * (mean - means["none"]) for flip, mean in means.items()}
    assert offsets == pytest.approx(dict(zip(test_time.FLIPS, (0, 1, 0, -0.75, 0.25))), abs=0.05)
