"""How long a large LMUData file takes until its first question is there, and how much memory.

    python benchmarks/data_files.py [--megabytes 1000] [--image-kilobytes 200]

Makes a TSV in which every second row names the image of the row before, and prints seconds for: looking at its columns and hashing
it, the first sample with its image, one pass over the rows, a pass with every image read, and drawing a limit; then the peak memory.
"""

from __future__ import annotations

import argparse
import base64
import os
import resource
import tempfile
import time
from pathlib import Path

from mmeval.core.file_hashes import hash_files
from mmeval.tasks.file_task import FileOptions, read_file_card
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import made_card
from mmeval.tasks.task import Task

QUESTION = 'Which of these does the picture "show"?'


def write_table(path: Path, megabytes: int, image_kilobytes: int) -> int:
    """Write the file and return its number of rows."""
    rows = 0
    with path.open("w", encoding="utf-8") as handle:
        handle.write("index\tquestion\tA\tB\tC\tD\tanswer\tcategory\timage\n")
        while handle.tell() < megabytes << 20:
            image = base64.b64encode(os.urandom(image_kilobytes << 10)).decode() if rows % 2 == 0 else str(rows - 1)
            quoted = QUESTION.replace('"', '""')
            handle.write(f'{rows}\t"{quoted}"\tred\tgreen\tblue\tnone\t{"ABCD"[rows // 2 % 4]}\tk{rows % 5}\t{image}\n')
            rows += 1
    return rows


def timed(name: str, began: float) -> float:
    """Print the seconds since `began`, and return now."""
    now = time.perf_counter()
    print(f"{name:45} {now - began:8.2f} s")
    return now


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--image-kilobytes", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.tsv"
        rows = write_table(path, options.megabytes, options.image_kilobytes)
        print(f"{rows} rows, {path.stat().st_size / 2**20:.0f} MiB")
        began = time.perf_counter()
        hash_files({"": path})
        began = timed("hash of the content", began)
        task = Task.load(made_card(read_file_card(path, FileOptions())))
        began = timed("columns, kind of answers, and hash again", began)
        opened = task.open(DataOptions())
        _, build = next(opened.samples(AskStyle()))
        build().media[0].read()
        began = timed("first sample with its image", began)
        count = sum(len(build().media) for _, build in opened.samples(AskStyle()))
        began = timed(f"one pass, {count} samples built, no image read", began)
        size = sum(len(media.read()) for _, build in opened.samples(AskStyle()) for media in build().media)
        began = timed(f"one pass with every image ({size / 2**20:.0f} MiB)", began)
        list(task.open(DataOptions(limit=20)).samples(AskStyle()))
        timed("a limit of 20 drawn and found", began)
    print(f"{'peak memory':45} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10:8} MB")


if __name__ == "__main__":
    main()
