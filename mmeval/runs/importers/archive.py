"""Reading zip files that came from elsewhere: nothing is unpacked to disk, and no member may be larger than allowed."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmeval.core.errors import DataError

MOST_MEMBERS = 1_000_000
_ZSTANDARD = 93
"""Number of zstd in zip files; Python reads it itself from 3.14 on."""
_LOCAL_HEADER = 30
"""Bytes of a member's local header before name and extra field."""
_READABLE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, _ZSTANDARD})


class Archive:
    """An open zip file whose members were looked at before any was read.

    Args:
        path: the file.
        most_bytes: what all members together may hold, unpacked.
        what: the word for such a file, for messages.

    Raises:
        DataError: when it is no zip file, a name points out of it, or its sizes are beyond reason.
    """

    def __init__(self, path: Path, most_bytes: int, what: str) -> None:
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise DataError(
                f"{path}: not a readable {what} ({error})",
                remedy="copy it again; a file that is still being written is not complete",
            ) from error
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}", remedy="check the file") from error
        try:
            _check(path, self._file.infolist(), most_bytes, what)
        except DataError:
            self._file.close()
            raise
        self.members = {member.filename: member for member in self._file.infolist()}
        """By name; of two equal names the last counts, as everywhere."""

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, member: zipfile.ZipInfo, most_bytes: int) -> bytes:
        """Return the content of one member.

        Raises:
            DataError: when it is larger than allowed or than it says, encrypted, damaged, or packed in an unknown way.
        """
        place = f"{self.path}, {member.filename}"
        if member.file_size > most_bytes:
            raise DataError(
                f"{place}: {member.file_size / 2**20:.0f} MiB unpacked, at most {most_bytes / 2**20:.0f} MiB are read",
                remedy="check where the file comes from",
            )
        if member.flag_bits & 1:
            raise DataError(f"{place}: encrypted", remedy="give the file without a password")
        if member.compress_type not in _READABLE:
            raise DataError(
                f"{place}: packed by method {member.compress_type}, which is not read here",
                remedy="write the file as plain JSON",
            )
        try:
            if member.compress_type == _ZSTANDARD:
                data = self._zstandard(member)
            else:
                with self._file.open(member) as handle:
                    data = handle.read(member.file_size + 1)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, zlib.error) as error:
            raise DataError(f"{place}: damaged ({error})", remedy="copy the file again") from error
        if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
            raise DataError(f"{place}: its content is not the one that the file states", remedy="copy the file again")
        return data

    def _zstandard(self, member: zipfile.ZipInfo) -> bytes:
        import pyarrow as pa

        if not pa.Codec.is_available("zstd"):
            raise DataError(
                f"{self.path}: packed with zstd, which this installation of pyarrow lacks",
                remedy="rewrite the log as JSON (`inspect log convert --to json --output-dir DIR LOG`), and import that",
            )
        with self.path.open("rb") as handle:
            handle.seek(member.header_offset)
            header = handle.read(_LOCAL_HEADER)
            if len(header) != _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
                raise ValueError("no local header")
            handle.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
            packed = handle.read(member.compress_size)
        with pa.input_stream(pa.py_buffer(packed), compression="zstd") as stream:
            return bytes(stream.read(member.file_size + 1))


def _check(path: Path, members: Sequence[zipfile.ZipInfo], most_bytes: int, what: str) -> None:
    if len(members) > MOST_MEMBERS:
        raise DataError(f"{path}: {len(members)} members are too many for a {what}", remedy="check where it comes from")
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or (name.parts and name.parts[0].endswith(":")):
            raise DataError(
                f"{path}: member {member.filename!r} points out of the file, so this is no {what}",
                remedy="check where it comes from",
            )
    total = sum(member.file_size for member in members)
    if total > most_bytes:
        raise DataError(
            f"{path}: {total / 2**30:.1f} GiB unpacked, at most {most_bytes / 2**30:.0f} GiB are read",
            remedy="check where it comes from; split a log that is really so large",
        )
