"""Convolution over the frames, where channels are many in the frequency domain.

A convolution of T frames with K taps is a product of spectra once the frames are padded to N >= T + K // 2, which
keeps the frames that 'same' padding asks for clear of the wrap-around. The discrete Fourier transform of so few frames
is a product with a small constant matrix, and so is each further linear step, so that the whole is

    y = Z^T ((F x) * (G w))

with `*` a product of channel matrices for each row r: `x` is `(T, positions x channels)`, F is `(R, T)`, G `(R, K)` and
Z `(R, T)`. A complex product of the spectra `p + iq` and `g + ih` takes three real ones (Gauss) of `p + q`, `p`, `q`
with `g`, `h - g`, `g + h`; these sums are rows of F and G, and the sums that follow are columns of Z. Real input needs
the frequencies 0 .. N/2 only, and the first (and, for even N, the last) of them are real: R is about 1.5 N.

Of C channels the products take R C instead of K T C multiplications for each output channel: 17 instead of 72 for
8 frames and 9 taps, 29 instead of 144 for 16; the transforms add 2 R T. With a stride s the frames and the taps are
split into s phases that share the spectrum of the result, each with T / s frames.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple, cast

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from kinestream.models.kernels.rounding import products, spectra_rounded


class Transforms(NamedTuple):
    """The constant matrices: of frames and taps for each phase of the stride, and back."""

    frames: tuple[Float[Tensor, "r _"], ...]
    taps: tuple[Float[Tensor, "r k"], ...]
    back: Float[Tensor, "s r"]


def temporal_convolution(
    x: Float[Tensor, "1 c t p"], weight: Float[Tensor, "d c k 1"], bias: Float[Tensor, " d"] | None, stride: int = 1
) -> Float[Tensor, "1 d s p"]:
    """`conv2d` over the frames with odd K and padding K // 2 of one image, channels last in memory.

    Takes whichever way is faster on CPUs. Elsewhere, and in reduced precision, whose rounding the sums of Gauss's
    product would magnify, it is `conv2d` itself.
    """
    taps = weight.shape[2]
    exact = x.dtype == weight.dtype and x.dtype in (torch.float32, torch.float64)
    here = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    if exact and here and spectral_pays(x.shape[2], x.shape[1], taps, stride):
        return spectral_convolution(x, weight, bias, stride)
    return functional.conv2d(x, weight, bias, (stride, 1), (taps // 2, 0))


def spectral_pays(frames: int, channels: int, taps: int, stride: int) -> bool:
    """Whether the frequency domain takes less time, by counts of multiplications for each output channel.

    Those of the transforms count three times: they are products with one short side, bound by memory.
    """
    out = -(-frames // stride)
    length = out + -(-(taps // 2) // stride)
    rows = 1.5 * length
    return rows * (stride * channels + 3 * (frames + out)) < taps * out * channels


def spectral_convolution(
    x: Float[Tensor, "1 c t p"], weight: Float[Tensor, "d c k 1"], bias: Float[Tensor, " d"] | None, stride: int
) -> Float[Tensor, "1 d s p"]:
    """By way of the frequency domain."""
    rows = cast(Tensor, _Spectral.apply(x, weight, bias, stride))  # type: ignore[no-untyped-call]
    return as_image(rows[None])


class _Spectral(torch.autograd.Function):
    """Written out, so that the bias and the phases of a stride are added and stored in place. Gives `(s, p, d)` as a
    tensor of its own, no view, so that it may be changed in place after."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        _, _, frames, positions = x.shape
        plan = transforms(frames, weight.shape[2], stride, x.dtype, x.device)
        spectra = _spectra(x, plan, stride)
        kernels = [torch.matmul(g, rearrange(weight, "d c k 1 -> d k c")).transpose(0, 1) for g in plan.taps]
        ctx.rounded = spectra_rounded()
        with products(rounded=ctx.rounded):
            spectrum = torch.bmm(spectra[0], kernels[0].mT)
            for more, kernel in zip(spectra[1:], kernels[1:], strict=True):
                spectrum.baddbmm_(more, kernel.mT)
        y = x.new_empty(len(plan.back), positions, len(weight))
        torch.mm(plan.back, spectrum.view(len(spectrum), -1), out=y.view(len(y), -1))
        # The spectra have twice the size of x, which others keep anyway: they are made again.
        ctx.save_for_backward(x, *kernels)
        ctx.plan, ctx.stride, ctx.frames = plan, stride, frames
        return y if bias is None else y.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        plan: Transforms = ctx.plan
        x, *kernels = ctx.saved_tensors
        out, positions, width = grad.shape
        of_spectrum = (plan.back.T @ grad.reshape(out, -1)).view(-1, positions, width)
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            channels = x.shape[1]
            rows = grad.new_empty(ctx.frames, positions * channels)
            for phase, (f, kernel) in enumerate(zip(plan.frames, kernels, strict=True)):
                with products(rounded=ctx.rounded):
                    of_spectra = torch.bmm(of_spectrum, kernel)
                torch.mm(f.T, of_spectra.view(len(f), -1), out=rows[phase :: ctx.stride])
            of_x = as_image(rows.view(1, ctx.frames, positions, channels))
        if ctx.needs_input_grad[1]:
            spectra = _spectra(x, plan, ctx.stride)
            with products(rounded=ctx.rounded):
                of_kernels = [torch.bmm(of_spectrum.mT, spectrum) for spectrum in spectra]
            by_tap = sum(
                torch.matmul(g.T, of_kernel.transpose(0, 1)) for g, of_kernel in zip(plan.taps, of_kernels, strict=True)
            )
            of_weight = rearrange(cast(Tensor, by_tap), "d k c -> d c k 1")
        if ctx.needs_input_grad[2]:
            of_bias = grad.sum(dim=(0, 1))
        return of_x, of_weight, of_bias, None


def _spectra(x: Float[Tensor, "1 c t p"], plan: Transforms, stride: int) -> list[Float[Tensor, "r p c"]]:
    """Of each phase of the stride."""
    _, channels, frames, positions = x.shape
    rows = as_rows(x).reshape(frames, -1)
    return [(f @ rows[phase::stride]).view(len(f), positions, channels) for phase, f in enumerate(plan.frames)]


def as_rows(image: Float[Tensor, "1 c t p"]) -> Float[Tensor, "1 t p c"]:
    """The image as it lies in memory."""
    return image.permute(0, 2, 3, 1)


def as_image(rows: Float[Tensor, "1 t p c"]) -> Float[Tensor, "1 c t p"]:
    """One image with its channels last in memory.

    Without einops, whose reshaping gives the axis of length 1 a stride by which torch no longer sees the format.
    """
    return rows.permute(0, 3, 1, 2)


@lru_cache(maxsize=64)
def transforms(frames: int, taps: int, stride: int, dtype: torch.dtype, device: torch.device) -> Transforms:
    """F and G for each phase of the stride, and Z transposed, as the head of this module has them."""
    out = -(-frames // stride)
    offsets = torch.arange(taps, device="cpu") - taps // 2
    # Result frame s takes frame stride * s + offset, which is frame s + step of the phase that the offset falls into.
    phases = range(min(stride, frames))
    steps = [torch.div(offsets - phase, stride, rounding_mode="floor") for phase in phases]
    length = out + max(int(step.abs().max()) for step in steps)
    frequencies = torch.arange(length // 2 + 1, device="cpu")
    is_real = (frequencies == 0) | (2 * frequencies == length)

    def waves(at: Tensor) -> tuple[Tensor, Tensor]:
        angle = (frequencies[:, None] * at % length).double() * (2 * math.pi / length)
        return angle.cos(), angle.sin()

    def stack(*rows: Tensor) -> Tensor:
        keep = torch.stack((torch.ones_like(is_real), ~is_real, ~is_real), dim=1)
        return torch.stack(rows, dim=1)[keep].to(device, dtype)

    # Saved for backward, so never tensors of inference mode, whoever asks first.
    with torch.inference_mode(False):
        of_frames, of_taps = [], []
        for phase, step in zip(phases, steps, strict=True):
            cos, sin = waves(torch.arange(-(-(frames - phase) // stride), device="cpu"))
            of_frames.append(stack(cos - sin, cos, -sin))
            cos, sin = waves(step)
            mine = (offsets - phase) % stride == 0
            of_taps.append(stack(cos * mine, (sin - cos) * mine, (cos + sin) * mine))
        cos, sin = waves(torch.arange(out, device="cpu"))
        scale = (2.0 - is_real.double())[:, None] / length
        back = stack((cos - sin) * scale, -sin * scale, -cos * scale)
    return Transforms(tuple(of_frames), tuple(of_taps), back.T.contiguous())
