"""Pictures per second of the loader alone, and of the obvious plain PyTorch script."""

import time
from collections.abc import Iterator
from math import inf
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.card.rates import new_task, rate_of
from benchmarks.card.rows import Row
from benchmarks.card.settings import SYSTEMS, Setting


class Repeated(Dataset[Any]):
    """A dataset several times over, so that an epoch is long enough to be measured."""

    def __init__(self, base: Any, times: int) -> None:
        self.base, self.times = base, times

    def __len__(self) -> int:
        return len(self.base) * self.times

    def __getitem__(self, key: Any) -> Any:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        return self.base[epoch, index % len(self.base)]


def data_for(row: Row, setting: Setting) -> tuple[Any, Any]:
    """As the config has it, and its training pictures as they are; one datamodule for all rows of a system."""
    system = SYSTEMS[row.system]
    if row.system not in setting.pictures:
        data = system.data(
            setting.roots[row.system], image_size=row.side, cache="ram" if row.system != "dogs" else False
        )
        data.setup("fit")
        setting.pictures[row.system] = data, data.datasets["train"]
    data, base = setting.pictures[row.system]
    data.batch_size = row.batch_size
    return data, base


def lengthen(data: Any, base: Any, pictures: int) -> None:
    data.datasets["train"] = Repeated(base, -(-pictures // len(base)))


def rate_of_loader(batches: Iterator[Any], seconds: float) -> float:
    """Pictures per second after the first batch, for which workers start."""
    next(batches)
    start, count = time.perf_counter(), 0
    for batch in batches:
        count += len(batch["image"] if isinstance(batch, dict) else batch[0])
        if time.perf_counter() - start > seconds:
            break
    return count / (time.perf_counter() - start)


def loader(row: Row, setting: Setting) -> float:
    """Later epochs; the first one, of the first row of a system, is another cell."""
    is_new = row.system not in setting.pictures
    data, base = data_for(row, setting)
    if is_new:
        lengthen(data, base, max(len(base), 3 * row.batch_size))
        row.cells["first epoch"] = rate_of_loader(iter(data.train_dataloader()), inf)
    lengthen(data, base, 100 * row.batch_size + 20_000)
    return rate_of_loader(iter(data.train_dataloader()), setting.seconds)


class PlainPictures(Dataset[Any]):
    """As most scripts read them: Pillow, float pictures in torch's layout, a flip."""

    def __init__(self, base: Any, side: int) -> None:
        self.base, self.side = base, side

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        record = self.base.records[index % len(self.base.records)]
        image = Image.open(self.base.image_path(record)).convert("RGB").resize((self.side, self.side))
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        flips = bool(torch.rand(()) < 0.5)
        tensor = (tensor.flip(-1) if flips else tensor).contiguous()
        if not self.base.has_masks:
            return tensor, self.base.label(record)
        mask = Image.fromarray(self.base.read_mask(record)).resize((self.side, self.side), Image.Resampling.NEAREST)
        truth = torch.from_numpy(np.array(mask)).long()
        return tensor, truth.flip(-1) if flips else truth


def plain(row: Row, setting: Setting) -> float:
    """The obvious script: float32, torch's layout, Adam, as many workers, the loss shown after each step."""
    data, base = data_for(row, setting)
    pictures = PlainPictures(base, row.side)
    batches = iter(DataLoader(pictures, batch_size=row.batch_size, num_workers=data.num_workers))
    row.cells["plain loader"] = rate_of_loader(batches, setting.seconds / 2)
    task = new_task(row, setting)
    network, loss_of = task.model.to(memory_format=torch.contiguous_format), cast(Any, task.loss)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> None:
        images, truth = (tensor.to(setting.device) for tensor in next(batches))
        loss = loss_of(network(images), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return rate_of(step, row.batch_size, setting)
