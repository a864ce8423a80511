"""What a run has to show, from files that are written by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_seg.picture_table import COLUMNS, class_cell
from lightning_seg.report.command_lines import command_lines
from lightning_seg.report.compared import comparison_tables
from lightning_seg.report.confusion import Confusion
from lightning_seg.report.contents import Content, read_content
from lightning_seg.report.figures import curve_quantities, curves_svg
from lightning_seg.report.metrics import class_tables, metrics_table
from lightning_seg.report.overview import SplitSize, data_table, splits_table, summary_table, versions_table
from lightning_seg.report.records import Table, shown
from lightning_seg.report.tested import PictureResult, orders_of, ranked, read_tested
from lightning_seg.tables import write_rows

OLD_RUNS = Path(__file__).parents[1] / "fixtures" / "old_runs"
LABELS = """path,truth,prediction,probability,loss,score,quantity,group
a.jpg,cat,cat,0.9,0.105,1,accuracy,g
b.jpg,cat,dog,0.6,1.2,0,accuracy,g
c.jpg,dog,dog,0.55,0.6,1,accuracy,
d.jpg,dog,cat,0.99,4.6,0,accuracy,
e.jpg,cat,dog,0.7,1.3,0,accuracy,
"""
MASKS = """path,truth,prediction,probability,loss,score,quantity,group
a.jpg,sky; tree,sky; tree,0.9,0.2,0.8,mean IoU,
b.jpg,sky,sky; tree,0.8,0.4,0.3,mean IoU,
c.jpg,sky; tree,sky,0.7,0.9,0.5,mean IoU,
d.jpg,,sky,0.6,,,mean IoU,
"""


def made(folder: Path, table: str, **files: str) -> Content:
    (folder / "config.yaml").write_text("trainer: {max_epochs: 4}\nmodel: {class_path: lightning_seg.UNetTask}\n")
    (folder / "test_pictures.csv").write_text(table)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return read_content(folder)


def named(table: Table) -> dict[str, str]:
    return {row[0]: row[1] for row in table.rows}


def names(pictures: list[PictureResult]) -> str:
    return "".join(picture.path[0] for picture in pictures)


def test_worst_and_best_pictures_of_labels(tmp_path: Path) -> None:
    tested = made(tmp_path, LABELS).tested
    # Among equal scores the loss decides.
    assert names(ranked(tested)) == "debca"
    assert names(ranked(tested, best=True)) == "acbed"
    assert names(ranked(tested, "loss")) == "debca"
    assert names(ranked(tested, "mistake")) == "deb"
    assert names(ranked(tested, "mistake", best=True)) == "ac"
    assert names(ranked(tested, "loss", class_name="dog")) == "debc"
    assert orders_of(tested) == ["score", "loss", "mistake"]


def test_worst_pictures_of_masks(tmp_path: Path) -> None:
    tested = made(tmp_path, MASKS).tested
    assert names(ranked(tested)) == "bca"  # of d no pixel counts
    assert names(ranked(tested, "loss")) == "cba"
    # A class that is missed is none that is wrong.
    assert names(ranked(tested, "mistake")) == "bd"
    assert names(ranked(tested, class_name="tree")) == "bca"


def test_classes_of_masks_may_be_called_as_what_joins_them(tmp_path: Path) -> None:
    odd = ["sky; blue", "a;", " b ", "c\\", ";", "d,\ne"]
    rows = [{"path": f"{number}.jpg", "score": "0.5", "quantity": "mean IoU"} for number in range(3)]
    cells = [odd, odd[1:], odd[:1]]
    written = [{**row, "truth": class_cell(told, "mean IoU")} for row, told in zip(rows, cells, strict=True)]
    write_rows(tmp_path / "test_pictures.csv", COLUMNS, written)
    content = read_content(tmp_path)
    assert [list(one.true_classes) for one in content.tested] == cells
    assert content.class_names == tuple(sorted(odd))
    assert names(ranked(content.tested, class_name="sky; blue")) == "02"
    # Of earlier versions, which did not think of it.
    (tmp_path / "test_pictures.csv").write_text(MASKS.replace("tree", "tree;old\\or new"))
    assert read_content(tmp_path).tested[0].true_classes == ("sky", "tree;old\\or new")
    # One label is a name as it is, in tables of all versions.
    (tmp_path / "test_pictures.csv").write_text(LABELS.replace("cat", "cat; big\\\\"))
    assert read_content(tmp_path).tested[0].true_classes == ("cat; big\\",)
    assert class_cell(["cat; big\\"], "accuracy") == "cat; big\\"


def test_what_is_not_known_comes_last_in_every_order(tmp_path: Path) -> None:
    # Of b, d and e, which are wrong: an infinite loss is the highest, one that is no number is not known.
    tested = made(tmp_path, LABELS.replace("1.2,", "nan,").replace("1.3,", "inf,")).tested
    assert names(ranked(tested)) == "edbca"
    assert names(ranked(tested, best=True)) == "acdeb"
    assert names(ranked(tested, "loss")) == "edca"
    assert names(ranked(tested, "loss", best=True)) == "acde"
    unsure = LABELS.replace("0.6,1.2", "nan,1.2").replace("dog,0.7", "dog,").replace("0.99,", "0.0,")
    content = made(tmp_path, unsure.replace("d.jpg,dog,cat", "d.jpg,cat,dog"))
    assert names(ranked(content.tested, "mistake")) == "d"
    confusion = Confusion.of(content.tested, ["cat", "dog"])
    assert confusion is not None
    assert names(list(confusion.behind("cat", "dog"))) == "dbe"


def test_confusions_have_their_pictures_behind_them(tmp_path: Path) -> None:
    content = made(tmp_path, LABELS)
    confusion = Confusion.of(content.tested, ["dog", "cat"])
    assert confusion is not None
    assert confusion.class_names == ("dog", "cat")
    assert confusion.counts == [[1, 1], [2, 1]]
    assert names(list(confusion.behind("cat", "dog"))) == "eb"
    assert confusion.mistakes == [("cat", "dog", 2), ("dog", "cat", 1)]


def test_masks_and_earlier_tables_have_no_confusions(tmp_path: Path) -> None:
    assert Confusion.of(made(tmp_path, MASKS).tested, ["sky"]) is None
    assert Confusion.of(read_content(OLD_RUNS / "classification").tested, ["daisy"]) is None


def test_recall_and_precision_of_classes(tmp_path: Path) -> None:
    (table,) = class_tables(made(tmp_path, LABELS))
    cat, dog = table.records
    # Of three cats one is found; of the two that were called so, one is.
    assert (cat["test pictures"], cat["recall"], cat["precision"], cat["F1"]) == ("3", "0.3333", "0.5000", "0.4000")
    assert cat["most often taken for"] == "dog (2)"
    assert (dog["recall"], dog["precision"]) == ("0.5000", "0.3333")


def test_classes_of_masks_are_measured_and_counted(tmp_path: Path) -> None:
    numbers = {"test/iou/sky": 0.75, "test/iou/tree": None, "test/miou": 0.5, "val/miou": 0.25, "best/val/miou": 0.25}
    content = made(tmp_path, MASKS, metrics__json=json.dumps(numbers))
    (table,) = class_tables(content)
    sky, tree = table.records
    assert (sky["IoU"], sky["in pictures"], sky["missed"], sky["invented"]) == ("0.7500", "3", "0", "1")
    assert (tree["IoU"], tree["in pictures"], tree["missed"], tree["invented"]) == ("no number", "2", "1", "1")
    assert len(set(table.colours)) == 2
    metrics = metrics_table(content)
    assert metrics is not None
    assert metrics.records == [{"metric": "mean IoU", "validation": "0.2500", "test": "0.5000"}]


def test_a_summary_says_what_was_trained_for_how_long(tmp_path: Path) -> None:
    numbers = {"epochs": 3, "best/val/miou": 0.5, "test/miou": 0.4, "parameters": 1234567, "version/torch": "2.14"}
    table = "epoch,step,val/miou,train/loss\n0,1,0.1,3.0\n1,2,0.5,2.0\n2,3,0.4,1.0\n"
    content = made(tmp_path, MASKS, metrics__json=json.dumps(numbers), metrics__csv=table)
    summary = named(summary_table(content))
    assert summary["task"] == "UNetTask"
    assert summary["epochs"] == "3 of 4"
    assert summary["best mean IoU of validation"] == "0.5000, after epoch 2"
    assert summary["mean IoU of test"] == "0.4000"
    assert summary["parameters"] == "1,234,567"
    versions = versions_table(content)
    assert versions is not None
    assert versions.rows == (("torch", "2.14"),)


def test_splits_come_from_the_dataset_or_the_test(tmp_path: Path) -> None:
    content = made(tmp_path, LABELS, metrics__json='{"left_out/unreadable": 3}')
    of_test = splits_table(content)
    assert of_test is not None
    assert of_test.rows == (("test", "5", "1"),)
    assert of_test.notes == ("3 unreadable pictures were left out.",)
    of_data = splits_table(content, [SplitSize("train", 1000, None), SplitSize("val", 10, None)])
    assert of_data is not None
    assert of_data.rows == (("train", "1,000"), ("val", "10"))


def test_a_run_that_was_never_tested_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed_everything: 7\ndata: {init_args: {root: in, seed: 3, cache: false}}\n")
    content = read_content(tmp_path)
    assert content.tested == ()
    assert content.problems == ()
    assert class_tables(content) == []
    assert splits_table(content) is None
    data = data_table(content)
    assert data is not None
    assert data.rows == (("root", "in"), ("seed", "3"), ("cache", "false"), ("seed of weights and training", "7"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("metrics.json", b"[1]", "metrics.json: it holds no names and values"),
        ("metrics.json", b"\xff\xfe", "metrics.json: no valid JSON"),
        ("metrics.csv", b"epoch,val/loss\n1,much\n", "metrics.csv: cannot be read (could not convert"),
        ("config.yaml", b"- a\n", "config.yaml: a config holds sections"),
        ("test_pictures.csv", b"name,score\na,1\n", "test_pictures.csv: no column path"),
        (
            "test_pictures.csv",
            b"path,score\na,1\nb,good\n",
            "test_pictures.csv: row 3: score 'good' is no number",
        ),
        *(
            (
                "test_pictures.csv",
                f"path,score,probability\na,1,0.5\nb,1,{given}\n".encode(),
                f"test_pictures.csv: row 3: probability {given} is not from 0 to 1",
            )
            for given in ("inf", "-0.1", "1.5")
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    made(tmp_path, LABELS, metrics__json='{"epochs": 2}')
    (tmp_path / name).write_bytes(content)
    read = read_content(tmp_path)
    (problem,) = read.problems
    assert said in problem
    assert "\n" not in problem
    # All others are shown.
    assert (read.numbers == {"epochs": 2}) == (name != "metrics.json")
    assert bool(read.tested) == (name != "test_pictures.csv")


@pytest.mark.parametrize("kind", ["classes", "one_logit", "classification", "detector"])
def test_runs_of_earlier_code_have_something_to_show(kind: str) -> None:
    content = read_content(OLD_RUNS / kind)
    assert content.problems == ()
    assert content.class_names[0] in ("background", "daisy")
    assert named(summary_table(content))["epochs"] == "1"
    assert metrics_table(content) is not None
    assert len(ranked(content.tested)) == len(content.tested)


def test_command_lines_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "it's $HOME"
    folder.mkdir()
    for command in command_lines(made(folder, LABELS)):
        words = subprocess.run(
            ["sh", "-c", f"printf '%s\\n' {command.line}"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert words[0] == "lightning-seg"
        assert words[2:4] == ["--run", str(folder)]


def test_the_checkpoint_that_was_tested_is_told(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"weights")
    # printf weights | sha256sum
    digest = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    told = {"checkpoint/test/file": "best.ckpt", "checkpoint/test/epoch": 1, "checkpoint/test/sha256": digest}
    table = summary_table(made(tmp_path, LABELS, metrics__json=json.dumps(told)))
    assert named(table)["test measured"] == "best.ckpt of epoch 2"
    assert table.notes == ()
    # It was trained further since.
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"others")
    (note,) = summary_table(read_content(tmp_path)).notes
    assert note.startswith("The numbers of the test are of best.ckpt of epoch 2, and not of best.ckpt as it is now")
    full = {name.replace("test", "test_full"): None for name in told}
    (tmp_path / "metrics.json").write_text(json.dumps(full))
    table = summary_table(read_content(tmp_path))
    assert named(table)["test at the original size measured"] == "weights of no checkpoint"
    assert len(table.notes) == 1
    # Earlier versions did not record it.
    (tmp_path / "metrics.json").write_text("{}")
    assert summary_table(read_content(tmp_path)).notes == ()


def test_numbers_that_are_none_are_said_as_such(tmp_path: Path) -> None:
    # As other programs write them.
    told = '{"best/val/miou": NaN, "best_is": "max", "test/miou": Infinity, "test/loss": 1e999, "data_wait_share": NaN}'
    curves = "epoch,step,val/miou,val/loss\n0,1,nan,inf\n1,2,0.25,1e308\n2,3,inf,2\n"
    content = made(tmp_path, LABELS, metrics__json=told, metrics__csv=curves)
    assert content.problems == ()
    metrics = metrics_table(content)
    assert metrics is not None
    assert metrics.rows == (("mean IoU", "no number"), ("loss", "no number"))
    summary = named(summary_table(content))
    assert summary["best mean IoU of validation"] == summary["mean IoU of test"] == "no number"
    assert "share of time waiting for pictures" not in summary
    for quantity in curve_quantities(content):
        assert "<svg" in curves_svg(content, quantity)
    assert shown(float("nan")) == shown(float("-inf")) == "no number"


def test_a_comparison_gives_intervals(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "wide" / "seed_1"
    run.mkdir(parents=True)
    assert comparison_tables(run) == []
    scores = {"best/val/miou": {"mean": 0.5, "deviation": 0.01}, "test/miou": {"mean": 0.4, "deviation": None}}
    pairs = [
        {"first": "wide", "second": "slim", "difference": 0.1, "low": 0.05, "high": 0.15, "verdict": "wide better"}
    ]
    content = {
        **{"metric": "miou", "score": "mean IoU", "seeds": [0, 1], "interval": {"level": 0.95}},
        **{"variants": {"wide": scores, "slim": scores}, "pairs": [*pairs, {**pairs[0], "first": "flat"}]},
    }
    (tmp_path / "comparison.json").write_text(json.dumps(content))
    means, differences = comparison_tables(run)
    assert means.title == "Over the seeds 0, 1"
    assert means.rows[0] == ("mean IoU, best of validation", "0.5000", "0.0100")
    assert differences.rows == (("wide - slim", "0.1000", "0.0500", "0.1500", "wide better"),)


def test_nothing_of_it_needs_torch() -> None:
    rooms = ("contents", "tested", "confusion", "metrics", "overview", "compared", "command_lines", "figures")
    code = "; ".join(f"import lightning_seg.report.{room}" for room in rooms)
    said = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "False\n"


def test_where_there_is_no_other_table_that_of_the_original_size_is_read(tmp_path: Path) -> None:
    made(tmp_path, LABELS).folder.joinpath("test_pictures.csv").rename(tmp_path / "test_full_pictures.csv")
    assert len(read_content(tmp_path).tested) == 5


def test_a_table_of_tests_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert read_tested(tmp_path / "test_pictures.csv") == ()


PIXELS = """truth,prediction,pixels
sky,sky,300
sky,=tree,100
=tree,sky,1
=tree,=tree,599
"""


def test_pixels_of_masks_by_true_and_predicted_class(tmp_path: Path) -> None:
    pixels = made(tmp_path, MASKS, confusion_pixels__csv=PIXELS.replace("=tree", "'=tree")).pixels
    assert pixels is not None
    assert pixels.class_names == ("sky", "=tree")
    assert pixels.counts == ((300, 100), (1, 599))
    assert pixels.mistakes == [("sky", "=tree", 100, 0.25), ("=tree", "sky", 1, 1 / 600)]
    assert (pixels.right, pixels.total) == (899, 1000)


def test_pixels_of_the_original_size_belong_to_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {}\n")
    (tmp_path / "test_full_pictures.csv").write_text(MASKS)
    (tmp_path / "confusion_pixels.csv").write_text(PIXELS)
    assert read_content(tmp_path).pixels is None
    (tmp_path / "confusion_pixels_full.csv").write_text(PIXELS)
    assert read_content(tmp_path).pixels is not None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("pixels\n", "number\n", "no column truth or prediction or pixels"),
        ("300", "-3", "pixels '-3' is no number of pixels"),
        ("sky,=tree,100\n", "", "there is not one row for each pair of the classes"),
        ("sky,=tree,100\n", "sky,sky,1\n", "there is not one row for each pair of the classes"),
    ],
)
def test_a_broken_table_of_pixels_is_a_line(old: str, new: str, reason: str, tmp_path: Path) -> None:
    content = made(tmp_path, MASKS, confusion_pixels__csv=PIXELS.replace(old, new, 1))
    assert content.pixels is None
    (problem,) = content.problems
    assert problem.startswith(f"{tmp_path / 'confusion_pixels.csv'}: {reason}")
    assert problem.endswith("; delete it, and test again")
