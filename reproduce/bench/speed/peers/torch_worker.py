"""PyTorch's rows: eager and compiled FP32, Brevitas, the mixture of eight schemes."""

from functools import partial

import brevitas
import brevitas.nn as qnn
import torch
from brevitas.quant import Int8WeightPerTensorFloat, Uint8ActPerTensorFloat
from torch import nn
from torch.nn import functional

from torch_mixture import MixedConvolution, MixedLinear
from torch_networks import Layers, resnet
from worker import Network, Training, serve

BITS = 2
# Brevitas gathers a percentile of every input for its first steps, 300 unless told otherwise, then trains the scale.
# What is timed is the training.
COLLECTING = 4


def training(network: Network, model: nn.Module) -> Training:
    """Adam on one batch, in the layout that PyTorch's performance guide recommends for convolutions."""
    torch.set_num_threads(network.threads)
    torch.manual_seed(0)
    if network.device == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    on = partial(torch.Tensor.to, device=network.device)
    model = model.to(device=network.device, memory_format=torch.channels_last).train()
    x = on(torch.rand(network.batch, 3, network.image, network.image), memory_format=torch.channels_last)
    y = on(torch.randint(network.classes, (network.batch,)))
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return Training(step, {"torch": torch.__version__, "brevitas": brevitas.__version__})


def floating(network: Network, compiled: bool) -> Training:
    model = resnet(network.name, network.classes, Layers())
    return training(network, torch.compile(model) if compiled else model)


def one_scheme(network: Network) -> Training:
    weights = {"weight_quant": Int8WeightPerTensorFloat, "weight_bit_width": BITS}
    inputs = {"bit_width": BITS, "collect_stats_steps": COLLECTING}
    layers = Layers(
        convolution=partial(qnn.QuantConv2d, **weights),
        linear=partial(
            qnn.QuantLinear,
            **weights,
            bias=True,
            input_quant=Uint8ActPerTensorFloat,
            **{f"input_{name}": value for name, value in inputs.items()},
        ),
        activation=partial(qnn.QuantReLU, **inputs),
    )
    return training(network, resnet(network.name, network.classes, layers))


def mixture(network: Network, compiled: bool) -> Training:
    layers = Layers(
        convolution=partial(MixedConvolution, compiled=compiled),
        linear=partial(MixedLinear, compiled=compiled),
    )
    return training(network, resnet(network.name, network.classes, layers, quantize_input=False))


serve(
    {
        "eager": partial(floating, compiled=False),
        "compiled": partial(floating, compiled=True),
        "brevitas": one_scheme,
        "mixture": partial(mixture, compiled=False),
        "compiled-mixture": partial(mixture, compiled=True),
    }
)
