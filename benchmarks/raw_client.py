"""The least that a client can do: read the parquet file, encode each image in base64, post it, read the answer. Nothing is kept.

python benchmarks/raw_client.py FILE URL COUNT SLOTS
"""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from collections.abc import Iterator

import aiohttp
import orjson
import pyarrow.parquet as pq


def bodies(path: str, count: int) -> Iterator[bytes]:
    """The request of each row."""
    made = 0
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        for batch in file.iter_batches(batch_size=64, columns=["question", "image"]):
            for row in batch.to_pylist():
                if made == count:
                    return
                made += 1
                head, tail = orjson.dumps(
                    {
                        "model": "sim",
                        "max_tokens": 16,
                        "messages": [
                            {
                                "role": "user",
                                "content": [
                                    {"type": "text", "text": row["question"]},
                                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,@"}},
                                ],
                            }
                        ],
                    }
                ).split(b"@")
                yield b"".join((head, b64encode(row["image"]["bytes"]), tail))


async def main(path: str, url: str, count: int, slots: int) -> None:
    source = bodies(path, count)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=slots)) as session:

        async def worker() -> None:
            for body in source:
                async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                    orjson.loads(await answer.read())["choices"][0]["message"]["content"]

        await asyncio.gather(*(worker() for _ in range(slots)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
