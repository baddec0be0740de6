"""A deterministic PNG writer.

The same pixels give the same bytes with every zlib: the compressor is this module's own. Every row uses
the Up filter; runs of equal pixels become DEFLATE matches at distance 3 (one pixel), all with the fixed
Huffman codes of RFC 1951, section 3.2.6.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LONGEST = 258
_PIXEL = 3


def _reverse(code: int, width: int) -> int:
    return int(format(code, f"0{width}b")[::-1], 2)


def _literal_table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    codes, widths = [], []
    for value in range(256):
        code, width = (0x30 + value, 8) if value < 144 else (0x190 + value - 144, 9)
        codes.append(_reverse(code, width))
        widths.append(width)
    return np.array(codes, np.int64), np.array(widths, np.int64)


def _match_table() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bits and bit count of a whole match (length, extra bits, distance 3) by match length."""
    codes, widths = [0, 0, 0], [0, 0, 0]
    symbol_of = [(257 + step, 0, 3 + step) for step in range(8)]
    start = 11
    for extra in range(1, 6):
        for _ in range(4):
            symbol_of.append((symbol_of[-1][0] + 1, extra, start))
            start += 1 << extra
    for length in range(3, _LONGEST):
        symbol, extra, base = max((entry for entry in symbol_of if entry[2] <= length), key=lambda e: e[2])
        codes.append(_match_bits(symbol, extra, length - base)[0])
        widths.append(_match_bits(symbol, extra, length - base)[1])
    bits, width = _match_bits(285, 0, 0)
    return np.array([*codes, bits], np.int64), np.array([*widths, width], np.int64)


def _match_bits(symbol: int, extra: int, value: int) -> tuple[int, int]:
    code, width = (symbol - 256, 7) if symbol < 280 else (0xC0 + symbol - 280, 8)
    bits = _reverse(code, width) | value << width
    width += extra
    return bits | _reverse(_PIXEL - 1, 5) << width, width + 5  # distance 3 is distance code 2


_LITERAL_BITS, _LITERAL_WIDTH = _literal_table()
_MATCH_BITS, _MATCH_WIDTH = _match_table()


def _tokens(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bits and bit counts of the literals and matches that stand for ``data``, in order."""
    same = np.zeros(data.size + 2, np.int8)
    same[_PIXEL + 1 : -1] = data[_PIXEL:] == data[:-_PIXEL]
    steps = np.diff(same)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    lengths = ends - starts
    # A tail of one or two bytes after full matches is written as literals.
    lengths -= np.where(lengths % _LONGEST < 3, lengths % _LONGEST, 0)
    starts, lengths = starts[lengths > 0], lengths[lengths > 0]

    pieces = (lengths + _LONGEST - 1) // _LONGEST
    first = np.cumsum(pieces) - pieces
    nth = np.arange(int(pieces.sum())) - np.repeat(first, pieces)
    match_at = np.repeat(starts, pieces) + nth * _LONGEST
    match_length = np.minimum(np.repeat(lengths, pieces) - nth * _LONGEST, _LONGEST)

    covered = np.zeros(data.size + 1, np.int8)
    covered[starts] += 1
    covered[starts + lengths] -= 1
    literal = np.cumsum(covered[:-1], dtype=np.int8) == 0
    literal[match_at] = True
    order = np.flatnonzero(literal)
    values = data[order]
    bits, widths = _LITERAL_BITS[values], _LITERAL_WIDTH[values]
    slots = np.searchsorted(order, match_at)
    bits[slots], widths[slots] = _MATCH_BITS[match_length], _MATCH_WIDTH[match_length]
    return bits, widths


def _deflate(data: NDArray[np.uint8]) -> bytes:
    bits, widths = _tokens(data)
    header = 3  # BFINAL = 1, BTYPE = 01
    ends = np.cumsum(widths) + header
    total = int(ends[-1]) + 7 if ends.size else header + 7  # the end-of-block code is seven zero bits
    size = (total + 7) // 8
    at = ends - widths
    shifted = bits << (at & 7)
    address = at >> 3
    out = np.zeros(size + 4, np.int64)
    # Tokens use disjoint bits, so adding them up byte by byte is the same as or-ing them.
    for offset in range(4):
        part = np.bincount(address, weights=(shifted >> (8 * offset)) & 255, minlength=size)
        out[offset : offset + part.size] += part.astype(np.int64)
    out[0] |= 0b011
    return out[:size].astype(np.uint8).tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes of an RGB picture.

    Args:
        pixels: (height, width, 3) uint8.

    Raises:
        ValueError: for another shape or type, or an empty picture.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(f"encode_png needs a (height, width, 3) uint8 array, got {pixels.shape} {pixels.dtype}")
    height, width, _ = pixels.shape
    rows = np.empty((height, 1 + width * 3), np.uint8)
    flat = pixels.reshape(height, width * 3)
    rows[:, 0] = 2  # filter type Up
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    data = rows.reshape(-1)
    body = b"\x78\x01" + _deflate(data) + struct.pack(">I", zlib.adler32(data.tobytes()))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
