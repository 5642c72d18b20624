"""torchvision's rows: the transforms of its reference training, on Pillow's images or, where so called, on tensors."""

from functools import partial

import PIL
import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

from worker import Pipeline, Task, serve

MORE = {
    "crop": [],
    "jitter": [v2.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)],
    "randaugment": [v2.RandAugment(num_ops=2, magnitude=9)],
}


def decoded(path: str) -> torch.Tensor:
    return decode_image(path, mode=ImageReadMode.RGB)


def pipeline(task: Task, more: str, tensors: bool) -> Pipeline:
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(task.size, antialias=True),
            v2.RandomHorizontalFlip(),
            *MORE[more],
            *([] if tensors else [v2.PILToTensor()]),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    reader = {"loader": decoded} if tensors else {}
    images = ImageFolder(f"{task.folder}/train", transform, **reader)
    batches = DataLoader(
        images,
        batch_size=task.batch,
        shuffle=True,
        drop_last=True,
        num_workers=task.threads,
        persistent_workers=True,
    )

    def run() -> None:
        for _ in batches:
            pass

    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__}
    return Pipeline(run, versions)


if __name__ == "__main__":
    serve(
        {
            **{name: partial(pipeline, more=name, tensors=False) for name in MORE},
            **{f"{name}-tensors": partial(pipeline, more=name, tensors=True) for name in MORE},
        }
    )
