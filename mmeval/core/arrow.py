"""Arrow with little memory.

Arrays straight from buffers and back: `pyarrow.array`, `pyarrow.scalar` and `to_numpy` import pandas (25 MB) to see whether they
were given something of its.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """Return texts, of 2 GB at most together, as an array."""
    import numpy as np
    import pyarrow as pa

    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def own_texts(column: pa.StringArray) -> pa.StringArray:
    """Return a copy outside of Arrow's allocator, which could not give back what lies around it."""
    import numpy as np
    import pyarrow as pa

    size, start = len(column), column.offset
    valid, places, data = column.buffers()
    if not size:
        return column
    ends = np.frombuffer(places, np.int32)[start : start + size + 1]
    octets = np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]
    held = None
    if column.null_count:
        held = pa.py_buffer(np.packbits(_bits(valid, start, size), bitorder="little"))
    return pa.StringArray.from_buffers(size, pa.py_buffer(ends - ends[0]), pa.py_buffer(octets.copy()), held)


def text_scalar(text: str) -> pa.Scalar:
    """Return one text as a scalar."""
    return text_array([text])[0]


def place_array(places: npt.NDArray[np.signedinteger[Any]]) -> pa.Int32Array:
    """Return places (for `take`) as an array; negative ones are null."""
    import numpy as np
    import pyarrow as pa

    found = np.ascontiguousarray(places, dtype=np.int32)
    known = found >= 0
    valid = None if bool(known.all()) else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Int32Array.from_buffers(pa.int32(), found.size, [valid, pa.py_buffer(found)])


def mask_array(chosen: npt.NDArray[np.bool_]) -> pa.BooleanArray:
    """Return a mask as an array."""
    import numpy as np
    import pyarrow as pa

    return pa.BooleanArray.from_buffers(
        pa.bool_(), chosen.size, [None, pa.py_buffer(np.packbits(chosen, bitorder="little"))]
    )


def number_cells(column: pa.Array) -> npt.NDArray[Any]:
    """Return numbers or truth values as numpy has them: as float64 with NaN for null where there is one."""
    import numpy as np
    import pyarrow as pa

    size, start = len(column), column.offset
    valid, data = column.buffers()
    if not size:
        return np.empty(0)
    found: npt.NDArray[Any]
    if pa.types.is_boolean(column.type):
        found = _bits(data, start, size)
    else:
        found = np.frombuffer(data, column.type.to_pandas_dtype())[start : start + size]
    if column.null_count:
        found = found.astype(np.float64)
        found[~_bits(valid, start, size)] = np.nan
    return found


def code_cells(codes: pa.Array, missing: int) -> npt.NDArray[Any]:
    """Return whole numbers (the codes of a dictionary array), `missing` for null."""
    import numpy as np

    size, start = len(codes), codes.offset
    valid, data = codes.buffers()
    found: npt.NDArray[Any] = np.frombuffer(data or b"", codes.type.to_pandas_dtype())[start : start + size]
    return np.where(_bits(valid, start, size), found, missing) if codes.null_count else found


def null_cells(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Return which cells are null."""
    import numpy as np

    if not column.null_count:
        return np.zeros(len(column), dtype=bool)
    return ~_bits(column.buffers()[0], column.offset, len(column))


def _bits(buffer: pa.Buffer, start: int, size: int) -> npt.NDArray[np.bool_]:
    import numpy as np

    first = start // 8
    octets = np.frombuffer(buffer, np.uint8)[first : (start + size + 7) // 8]
    return np.unpackbits(octets, bitorder="little")[start - 8 * first :][:size].astype(bool)
