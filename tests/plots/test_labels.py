import numpy as np
import torch
from matplotlib.colors import to_hex

from lightning_seg.plots.figures import figure_to_array
from lightning_seg.plots.labels import RIGHT, WRONG, draw_labels


def test_every_picture_has_its_true_and_predicted_class() -> None:
    images = torch.randint(0, 256, (3, 3, 4, 6), dtype=torch.uint8)
    probs = torch.tensor([[0.38, 0.62], [0.06, 0.94], [0.125, 0.875]])

    figure = draw_labels(images, torch.tensor([0, 1, 1]), probs, ("daisy", "tulips"))

    drawn = [axis for axis in figure.axes if axis.images]
    titles = ["daisy (tulips 62 %)", "tulips (tulips 94 %)", "tulips (tulips 88 %)"]
    assert [axis.get_title() for axis in drawn] == titles
    assert [axis.title.get_color() for axis in drawn] == [WRONG, RIGHT, RIGHT]
    assert to_hex(RIGHT) != to_hex(WRONG)
    for axis, image in zip(drawn, images, strict=True):
        np.testing.assert_array_equal(np.asarray(axis.images[0].get_array()), image.permute(1, 2, 0))
    long = draw_labels(images[:1], torch.tensor([0]), probs, ("Old_English_sheepdog", "West_Highland_white_terrier"))
    assert long.axes[0].get_title() == "Old_English_sheepdog\n(West_Highland_white_terrier 62 %)"
    # Three pictures in a square of four cells.
    assert len(figure.axes) == 4
    assert figure_to_array(figure).shape[2] == 3
