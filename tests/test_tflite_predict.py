"""`python -m tflite.predict`: photos, folders, videos and cameras in, poses.json and pictures out, and nothing lost."""

import itertools
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from PIL import Image

from tflite import image, interpreter, predict, video
from tflite.results import kept
from tflite.sources import sources
from tfpose.poses import Poses

SIZE = (140, 170)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


@pytest.fixture
def folder(photo, tmp_path):
    """Two photos, one of them in a folder in it."""
    for name in ("a.png", "below/b.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


@pytest.fixture
def clip(tmp_path):
    """A video of ten frames, ten a second, each a little brighter than the one before."""
    cv2 = pytest.importorskip("cv2", reason="videos need OpenCV")
    file = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, SIZE[::-1])
    for number in range(10):
        file.write(np.full((*SIZE, 3), 20 * number, np.uint8))
    file.release()
    return tmp_path / "clip.avi"


class Camera:
    """What OpenCV gives for a camera, of 100 frames a second: three frames, then what `ends` does."""

    ends = staticmethod(lambda: None)

    def __init__(self, place):
        self.place, self.left = place, 3

    def isOpened(self):
        return True

    def release(self):
        self.left = 0

    def get(self, which):
        return 100.0 if which == image.cv2.CAP_PROP_FPS else 0.0

    def set(self, which, value):
        assert (which, value) == (image.cv2.CAP_PROP_BUFFERSIZE, 1)

    def grab(self):
        self.left -= 1
        return self.left >= 0 or self.ends()

    def retrieve(self):
        return True, np.full((*SIZE, 3), (10, 20, 30), np.uint8)


def run(*arguments) -> int:
    return predict.main([str(tiny.bundle()), *map(str, arguments)])


def written(folder) -> dict:
    return json.loads((folder / "poses.json").read_text())


def test_a_photo_is_drawn_and_each_keypoint_printed(folder, tmp_path, capsys):
    boxes = ["--boxes", "10,10,50,90", "60,10,50,90"]
    assert run(folder / "a.png", *boxes, "--output", tmp_path / "out") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * (1 + 17) + 1 and lines[-1].startswith("1 picture, 2 people: ")
    assert lines[0].startswith("a.png: person 1 of 2") and lines[1].split()[0] == "nose"
    assert Image.open(tmp_path / "out" / "pictures" / "a.png").size == SIZE[::-1]


def test_the_json_is_a_coco_file_of_what_the_predictor_finds(folder, photo, tmp_path):
    assert run(folder, "--output", tmp_path / "out") == 0
    found, expected = written(tmp_path / "out"), interpreter.predictor(tiny.bundle())(photo).to_coco(1)[0]
    assert [(i["id"], i["file_name"]) for i in found["images"]] == [(1, "a.png"), (2, "below/b.jpg")]
    assert found["categories"][0]["keypoints"][0] == "nose" and len(found["annotations"]) == 2
    assert found["annotations"][0]["keypoints"][0::3] == expected["keypoints"][0::3]
    assert found["annotations"][0]["keypoint_scores"] == expected["keypoints"][2::3]
    assert (tmp_path / "out" / "pictures" / "below" / "b.jpg").is_file()


def test_json_only_draws_nothing(folder, tmp_path):
    assert run(folder, "--output", tmp_path / "out", "--json-only") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["poses.json"]


def test_a_folder_is_read_in_order_without_hidden_files_and_what_was_drawn_there_before(tmp_path):
    for name in ("b.jpg", "a/z.PNG", "a/c.mp4", ".hidden.jpg", ".cache/x.jpg", "notes.txt", "out/pictures/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = sources([str(tmp_path)], leave_out=tmp_path / "out")
    assert [(s.kind, s.name) for s in found] == [("video", "a/c.mp4"), ("photo", "a/z.PNG"), ("photo", "b.jpg")]


def test_no_two_sources_share_a_name_or_a_picture(tmp_path):
    names = ["one/a.jpg", "two/a.jpg", "one/v.mov", "one/v.mkv"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = sources([str(tmp_path / name) for name in names])
    assert [s.name for s in found] == [*(str(tmp_path / name) for name in names[:2]), "v.mov", "v.mkv"]
    assert [str(s.picture) for s in found] == ["00001_a.jpg", "00002_a.jpg", "00003_v.mp4", "00004_v.mp4"]


@pytest.mark.parametrize(("place", "says"), [("none.jpg", "no such file or folder"), (".", "found no photo")])
def test_a_source_that_is_not_there_is_one_line_and_exit_code_1(place, says, tmp_path, capsys):
    assert run(tmp_path / place, "--output", tmp_path / "out") == 1
    assert [says in line for line in capsys.readouterr().err.splitlines() if line.startswith("tflite.")] == [True]


def test_a_broken_photo_is_named_and_counted_and_the_others_are_found(folder, tmp_path, capsys):
    (folder / "aa.jpg").write_bytes(b"no photo")
    assert run(folder, "--output", tmp_path / "out", "--json-only") == 1
    assert [i["file_name"] for i in written(tmp_path / "out")["images"]] == ["a.png", "below/b.jpg"]
    errors = capsys.readouterr().err
    assert f"skipped: {folder / 'aa.jpg'}: not a readable image" in errors
    assert "1 of 3 could not be read: aa.jpg" in errors


def test_the_bar_tells_how_many_a_second_and_how_long_it_will_take(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    clock = itertools.count()
    monkeypatch.setattr("tfpose.progress.time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    assert run(folder, "--output", tmp_path / "out", "--json-only") == 0
    lines = capsys.readouterr().err.split("\r")
    assert [" ".join(line.split("] ")[1].split()) for line in lines if "predict" in line] == [
        "1/2 1.0/s, 1s left",
        "2/2 1.0/s, 0s left",
        "2/2 0.7/s",
    ]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_what_was_found_is_written_when_it_is_stopped(stop, folder, tmp_path, capsys, monkeypatch):
    read, left = image.read, itertools.count(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    monkeypatch.setattr(image, "read", lambda path: read(path) if next(left) < 2 else os.kill(os.getpid(), stop))
    assert run(folder, "--output", tmp_path / "out", "--json-only") == predict.STOPPED
    assert [i["file_name"] for i in written(tmp_path / "out")["images"]] == ["a.png"]
    assert "stopped; what was found until then is written" in capsys.readouterr().err


def test_of_a_video_every_nth_frame_is_found_and_drawn_and_plays_as_long(clip, tmp_path):
    assert run(clip, "--every", "3", "--output", tmp_path / "out") == 0
    frames = [(i["file_name"], i["frame"], i["seconds"]) for i in written(tmp_path / "out")["images"]]
    assert frames == [("clip.avi", 0, 0), ("clip.avi", 3, 0.3), ("clip.avi", 6, 0.6), ("clip.avi", 9, 0.9)]
    drawn = image.cv2.VideoCapture(str(tmp_path / "out" / "pictures" / "clip.mp4"))
    assert drawn.get(image.cv2.CAP_PROP_FRAME_COUNT) == 4
    assert drawn.get(image.cv2.CAP_PROP_FPS) == pytest.approx(10 / 3, abs=0.01)


def test_a_videos_frames_come_in_order(clip):
    (source,) = sources([str(clip)])
    seen = list(video.frames(source, every=2))
    assert np.allclose([frame.image.mean() for frame in seen], [0, 40, 80, 120, 160], atol=4)
    assert len(seen) == video.count(source, every=2)


def test_a_broken_video_is_named_and_the_photo_after_it_found(folder, tmp_path, capfd):
    pytest.importorskip("cv2", reason="videos need OpenCV")
    (folder / "a.mp4").write_bytes(b"no video")
    assert run(folder, "--output", tmp_path / "out", "--json-only") == 1
    assert len(written(tmp_path / "out")["images"]) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("skipped")]
    assert lines == ["skipped: a.mp4: OpenCV cannot open it; is it a video, and complete?"]


def test_without_opencv_a_video_is_skipped_with_how_to_install_it(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(image, "cv2", None)
    (folder / "c.mp4").touch()
    assert run(folder, "--output", tmp_path / "out", "--json-only") == 1
    assert "c.mp4: videos and cameras need OpenCV; run `pip install opencv-python-headless`" in capsys.readouterr().err


def test_a_cameras_frames_are_found_until_ctrl_c_which_is_no_error(tmp_path, monkeypatch):
    pytest.importorskip("cv2", reason="cameras need OpenCV")
    monkeypatch.setattr(image.cv2, "VideoCapture", Camera)
    monkeypatch.setattr(Camera, "ends", staticmethod(lambda: os.kill(os.getpid(), signal.SIGINT)))
    assert run("camera:0", "--output", tmp_path / "out", "--json-only") == 0
    assert [(i["file_name"], i["frame"]) for i in written(tmp_path / "out")["images"]] == [
        ("camera:0", 0),
        ("camera:0", 1),
        ("camera:0", 2),
    ]


def test_of_a_camera_nobody_knows_how_long_it_will_take(tmp_path, capsys, monkeypatch):
    pytest.importorskip("cv2", reason="cameras need OpenCV")
    monkeypatch.setattr(image.cv2, "VideoCapture", Camera)
    assert run("camera:0", "--output", tmp_path / "out", "--json-only") == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("predict")]
    assert line.startswith("predict 3 ") and "left" not in line and "[" not in line


def test_a_cameras_colours_are_red_green_and_blue(monkeypatch):
    pytest.importorskip("cv2", reason="cameras need OpenCV")
    monkeypatch.setattr(image.cv2, "VideoCapture", Camera)
    (source,) = sources(["camera:0"])
    assert [frame.image[0, 0].tolist() for frame in video.frames(source, every=2)] == [[30, 20, 10]] * 2


def test_a_camera_is_a_number_or_whatever_opencv_takes(monkeypatch):
    pytest.importorskip("cv2", reason="cameras need OpenCV")
    opened = []
    monkeypatch.setattr(image.cv2, "VideoCapture", lambda place: opened.append(place) or Camera(place))
    for place in ("camera:1", "camera:/dev/video2"):
        list(video.frames(sources([place])[0]))
    assert opened == [1, "/dev/video2"]


def test_a_camera_slower_than_it_says_still_plays_in_its_own_time(tmp_path):
    cv2 = pytest.importorskip("cv2", reason="videos need OpenCV")
    file = video.VideoFile(tmp_path / "x.mp4", SIZE, 10.0)
    for number, seconds in enumerate((0.0, 0.3, 0.32, 1.0)):
        file.add(np.full((*SIZE, 3), 60 * number, np.uint8), seconds)
    file.close()
    played = cv2.VideoCapture(str(tmp_path / "x.mp4"))
    levels = [round(played.read()[1].mean() / 60) for _ in range(int(played.get(cv2.CAP_PROP_FRAME_COUNT)))]
    assert levels == [0] * 3 + [2] * 7 + [3]


def test_people_are_kept_by_score_and_number_in_their_order():
    people = Poses(np.zeros((4, 17, 3)), np.array([0.2, 0.9, 0.5, 0.7]), np.zeros((4, 4)))
    assert kept(people, 0.3, None).scores.tolist() == [0.9, 0.5, 0.7]
    assert kept(people, 0.0, 2).scores.tolist() == [0.9, 0.7]


def test_the_best_people_alone_are_written_where_a_number_or_a_score_is_asked_for(folder, tmp_path):
    boxes = ["--boxes", "10,10,50,90", "60,10,50,90", "20,20,90,90"]
    for option, people in ((["--max-people", "2"], 2), (["--score", "1.1"], 0)):
        assert run(folder / "a.png", *boxes, "--output", tmp_path / "out", "--json-only", *option) == 0
        assert len(written(tmp_path / "out")["annotations"]) == people


def test_a_kind_and_how_it_is_run_are_the_interpreters(folder, tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(interpreter, "LiteRT", lambda *given, **how: asked.update(given=given, **how) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(folder, "--kind", "float32", "--threads", "3", "--no-xnnpack", "--delegate", "x.so", "--output", tmp_path)
    assert asked == {"given": (tiny.bundle() / "float32.tflite", 3), "delegate": "x.so", "xnnpack": False}


def test_keypoints_below_the_threshold_are_not_drawn(folder, photo, tmp_path):
    for threshold, drawn in ((2, False), (-1, True)):
        assert run(folder / "a.png", "--threshold", threshold, "--output", tmp_path / "out") == 0
        picture = np.asarray(Image.open(tmp_path / "out" / "pictures" / "a.png"))
        assert np.array_equal(picture, photo) != drawn


def test_with_flip_the_maps_are_averaged_with_mirrored_ones(folder, tmp_path, photo):
    assert run(folder / "a.png", "--flip", "--output", tmp_path / "out", "--json-only") == 0
    (found,) = written(tmp_path / "out")["annotations"]
    expected = replace(interpreter.predictor(tiny.bundle()), flip="aligned")(photo).to_coco(1)[0]
    assert found["keypoint_scores"] == expected["keypoints"][2::3]


def test_boxes_are_refused_where_whole_images_are_seen(folder, tmp_path, capsys):
    shutil.copy(tiny.bundle() / "int8.tflite", tmp_path)
    replace(tiny.spec(), view="image").save(tmp_path / "pose.json")
    assert predict.main([str(tmp_path), str(folder / "a.png"), "--boxes", "1,2,3,4"]) == 1
    assert "finds people in whole images; leave out --boxes" in capsys.readouterr().err


def test_wrong_usage_is_exit_code_2(capsys):
    for wrong, says in ((["--boxes", "1,2,3"], "expected x,y,w,h"), (["--every", "0"], "expected 1 or more")):
        with pytest.raises(SystemExit, match="2"):
            run("a.jpg", *wrong)
        assert says in capsys.readouterr().err
