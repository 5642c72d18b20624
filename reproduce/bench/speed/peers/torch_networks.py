"""The networks in PyTorch; what a convolution, a dense layer and an activation are is the method's business."""

from typing import Callable, NamedTuple

from torch import Tensor, nn


class Layers(NamedTuple):
    convolution: Callable[..., nn.Module] = nn.Conv2d
    linear: Callable[..., nn.Module] = nn.Linear
    activation: Callable[[], nn.Module] = nn.ReLU


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, layers: Layers, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = normalized(layers, inputs, outputs, 3, stride)
        self.activation1 = layers.activation()
        self.conv2 = normalized(layers, outputs, outputs, 3, 1)
        changes = stride > 1 or inputs != outputs
        self.shortcut = normalized(layers, inputs, outputs, 1, stride) if changes else nn.Identity()
        self.activation2 = layers.activation()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.activation1(self.conv1(x))
        return self.activation2(self.conv2(inner) + self.shortcut(x))


def normalized(layers: Layers, inputs: int, outputs: int, kernel: int, stride: int, **options) -> nn.Sequential:
    convolution = layers.convolution(
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False, **options
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


def resnet(name: str, classes: int, layers: Layers, **stem_options) -> nn.Module:
    """`stem_options` go to the first convolution, whose input is the image."""
    large = name == "resnet18"
    widths = [64, 128, 256, 512] if large else [16, 32, 64]
    stem = [
        normalized(layers, 3, widths[0], 7 if large else 3, 2 if large else 1, **stem_options),
        layers.activation(),
        *([nn.MaxPool2d(3, stride=2, padding=1)] if large else []),
    ]
    blocks = []
    channels = widths[0]
    for group, width in enumerate(widths):
        for block in range(2 if large else 3):
            stride = 2 if group > 0 and block == 0 else 1
            blocks.append(Block(layers, channels, width, stride))
            channels = width
    return nn.Sequential(
        *stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), layers.linear(channels, classes)
    )
