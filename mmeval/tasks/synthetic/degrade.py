"""Image degradations in exact integer arithmetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmeval.tasks.synthetic.model import Pixels
from mmeval.tasks.synthetic.rng import Rng, noise_bytes

_BLUR_RADIUS = (2, 4, 7, 11)
_NOISE_AMPLITUDE = (48, 90, 150, 230)
_BLOCK_STEP = (36, 72, 128, 220)
_CONTRAST_PERCENT = (66, 46, 30, 18)
_DARK_PERCENT = (62, 44, 28, 16)

# The orthonormal 8-point DCT-II matrix times 4096, rounded.
_DCT = np.array(
    [
        [1448, 1448, 1448, 1448, 1448, 1448, 1448, 1448],
        [2009, 1703, 1138, 400, -400, -1138, -1703, -2009],
        [1892, 784, -784, -1892, -1892, -784, 784, 1892],
        [1703, -400, -2009, -1138, 1138, 2009, 400, -1703],
        [1448, -1448, -1448, 1448, 1448, -1448, -1448, 1448],
        [1138, -2009, 400, 1703, -1703, -400, 2009, -1138],
        [784, -1892, 1892, -784, -784, 1892, -1892, 784],
        [400, -1138, 1703, -2009, 2009, -1703, 1138, -400],
    ],
    np.float64,
)


def degrade(pixels: Pixels, kind: str, severity: int, rng: Rng) -> Pixels:
    """A degraded copy.

    Args:
        pixels: (height, width, 3) uint8; for ``blocks`` both sides must be multiples of 8.
        kind: none, blur, noise, blocks, contrast or dark.
        severity: 1 (slight) to 4 (severe); ignored for ``none``.
    """
    if kind == "none":
        return pixels
    if not 1 <= severity <= 4:
        raise ValueError(f"severity must be 1 to 4, got {severity}")
    at = severity - 1
    if kind == "blur":
        return _blur(pixels, _BLUR_RADIUS[at])
    if kind == "noise":
        return _noise(pixels, _NOISE_AMPLITUDE[at], rng)
    if kind == "blocks":
        return _blocks(pixels, _BLOCK_STEP[at])
    if kind == "contrast":
        return _scale(pixels, _CONTRAST_PERCENT[at], 150)
    if kind == "dark":
        return _scale(pixels, _DARK_PERCENT[at], 0)
    raise ValueError(f"unknown degradation {kind!r}")


def _box_filter(values: NDArray[np.int32], radius: int, axis: int) -> NDArray[np.int32]:
    pad = [(0, 0)] * values.ndim
    pad[axis] = (radius + 1, radius)
    sums = np.cumsum(np.pad(values, pad, mode="edge"), axis=axis, dtype=np.int32)
    span = 2 * radius + 1
    length = values.shape[axis]
    upper = sums.take(range(span, span + length), axis=axis)
    lower = sums.take(range(length), axis=axis)
    return np.asarray((upper - lower + span // 2) // span, np.int32)


def _blur(pixels: Pixels, radius: int) -> Pixels:
    values = pixels.astype(np.int32)
    for axis in (0, 1):
        values = _box_filter(values, radius, axis)
    return values.astype(np.uint8)


def _noise(pixels: Pixels, amplitude: int, rng: Rng) -> Pixels:
    raw = noise_bytes(rng.raw_seed(), 2 * pixels.size).reshape(2, *pixels.shape)
    offset = raw[0].astype(np.int32) - raw[1]
    noisy: NDArray[np.int32] = pixels + offset * amplitude // 256
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def _scale(pixels: Pixels, percent: int, center: int) -> Pixels:
    table = np.array([center + (value - center) * percent // 100 for value in range(256)], np.uint8)
    return np.asarray(table[pixels])


def _blocks(pixels: Pixels, step: int) -> Pixels:
    """Quantise the DCT of every 8 × 8 block, as JPEG does.

    All values are whole numbers below 2**53, so the float64 products are exact in any order.
    """
    height, width, _ = pixels.shape
    blocks = pixels.reshape(height // 8, 8, width // 8, 8, 3).transpose(0, 2, 4, 1, 3).astype(np.float64) - 128
    spectrum = _DCT @ blocks @ _DCT.T  # scaled by 4096²
    order = np.arange(8)
    steps = (step + step * (order[:, None] + order[None, :]) // 3).astype(np.float64) * 4096.0 * 4096.0
    levels = np.floor(spectrum / steps + 0.5)
    restored = _DCT.T @ (levels * (steps / (4096.0 * 4096.0))) @ _DCT
    values = np.floor(restored / (4096.0 * 4096.0) + 0.5) + 128
    clipped = np.clip(values, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(clipped.transpose(0, 3, 1, 4, 2).reshape(height, width, 3))
