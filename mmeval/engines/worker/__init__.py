"""The inside of a managed worker process: what an engine's own environment runs.

Nothing here imports mmeval, so the folder also runs under another interpreter (`--engine-python`) whose environment
holds only torch, transformers, pillow and numpy. `wire` is shared with the parent.
"""
