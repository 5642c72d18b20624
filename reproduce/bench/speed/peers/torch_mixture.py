"""The mixture of eight schemes as one writes it in PyTorch: every scheme's values, weighted by a Gumbel softmax.

Statistics follow the paper's quantizers: of a weight they are taken anew, of an input they are running means. Each scheme
gives its values and the interval in which the straight-through gradient passes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

BITS = 2
MOMENTUM = 0.9
TEMPERATURE = 1.0
LAMBDA = 0.9957  # clip's step at two bits, in standard deviations
POT = 0.9  # the same for powers of two


def statistics(x: Tensor) -> Tensor:
    """What the eight schemes are laid out by: mean magnitude, ternary level, deviation, extremes, second residual scale."""
    magnitude = x.abs()
    mean = magnitude.mean()
    beyond = magnitude > 0.7 * mean
    ternary = (magnitude * beyond).sum() / beyond.sum().clamp(min=1)
    low, high = x.aminmax()
    second = (magnitude - mean).abs().mean()
    return torch.stack([mean, ternary, x.std(unbiased=False), low, high, second])


def candidates(x: Tensor, measured: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Of every scheme its values at `x`, and the lower and upper end of the gradient's interval."""
    mean, ternary, deviation, low, high, second = measured.unbind()
    largest = torch.maximum(-low, high)
    sign = torch.where(x >= 0, 1.0, -1.0)

    binary = sign * mean
    three = torch.where(x.abs() > 0.7 * mean, torch.sign(x), 0.0) * ternary

    step = LAMBDA * deviation + 1e-7
    half = 2 ** (BITS - 1)
    clip = (torch.floor(x / step).clamp(-half, half - 1) + 0.5) * step
    four = (torch.floor(x / step).clamp(-2, 1) + 0.5) * step

    unit = torch.exp2(torch.floor(torch.log2(largest + 1e-7)) - (BITS - 2))
    fixed = torch.round(x / unit).clamp(-half, half - 1) * unit

    interval = (high - low) / 2**BITS + 1e-7
    zoom = low + (torch.floor((x - low) / interval).clamp(0, 2**BITS - 1) + 0.5) * interval

    scale = POT * deviation + 1e-7
    pot = sign * scale * torch.where(x.abs() > scale, 2.0, 0.5)

    residual = binary + torch.where(x >= binary, second, -second)

    return [
        (binary, -mean, mean),
        (three, -ternary, ternary),
        (four, -2 * step, 2 * step),
        (fixed, -half * unit, (half - 1) * unit),
        (zoom, low, high),
        (clip, -half * step, half * step),
        (pot, -2 * scale, 2 * scale),
        (residual, -(mean + second), mean + second),
    ]


def mixture(x: Tensor, p: Tensor, measured: Tensor) -> Tensor:
    total = torch.zeros_like(x)
    for weight, (values, low, high) in zip(p.unbind(), candidates(x.detach(), measured)):
        passing = torch.clamp(x, low, high)
        total = total + weight * (values + passing - passing.detach())
    return total


def compiled_for_every_shape(function):
    """Kernels of fixed shapes are the faster ones; past torch's usual limit of 8 shapes the rest would run eagerly."""
    torch._dynamo.config.recompile_limit = 256
    return torch.compile(function, dynamic=False)


class Mixture(nn.Module):
    """The quantizer of one node."""

    def __init__(self, compiled: bool, running: bool):
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(8))
        self.mixture = compiled_for_every_shape(mixture) if compiled else mixture
        self.statistics = compiled_for_every_shape(statistics) if compiled else statistics
        self.running: Tensor | None
        self.register_buffer("running", torch.zeros(6) if running else None)

    def forward(self, x: Tensor) -> Tensor:
        p = functional.gumbel_softmax(self.theta, tau=TEMPERATURE)
        with torch.no_grad():
            measured = self.statistics(x)
            if self.running is not None:
                measured = self.running.lerp_(measured, 1 - MOMENTUM).clone()
        return self.mixture(x, p, measured)


class MixedConvolution(nn.Conv2d):
    def __init__(self, *arguments, compiled: bool, quantize_input: bool = True, **options):
        super().__init__(*arguments, **options)
        self.weight_quantizer = Mixture(compiled, running=False)
        self.input_quantizer = Mixture(compiled, running=True) if quantize_input else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(self.input_quantizer(x), self.weight_quantizer(self.weight), self.bias)


class MixedLinear(nn.Linear):
    def __init__(self, *arguments, compiled: bool, **options):
        super().__init__(*arguments, **options)
        self.weight_quantizer = Mixture(compiled, running=False)
        self.input_quantizer = Mixture(compiled, running=True)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(self.input_quantizer(x), self.weight_quantizer(self.weight), self.bias)
