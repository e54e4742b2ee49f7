"""Out of memory: how to tell, and what to change."""

import torch

from faceswap.errors import UserError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an operation failed because the device or the machine has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # The CPU's allocator and some libraries raise bare RuntimeErrors.
    text = str(error).lower()
    known = ("can't allocate memory", "out of memory", "alloc_failed")
    return isinstance(error, RuntimeError) and any(part in text for part in known)


def out_of_memory(batch_size: int, dtype: torch.dtype, device: torch.device, saved: int) -> UserError:
    """What to type instead. saved: the iteration that is on the disk, 0 for none."""
    ways = [f"--batch-size {batch_size // 2}"] if batch_size > 1 else []
    ways += ["--precision bf16"] if dtype is torch.float32 and device.type == "cuda" else []
    other = "a new model with a smaller --resolution or smaller dims, --model NAME"
    return UserError(
        f"{device} has no memory for batch size {batch_size} in {str(dtype).removeprefix('torch.')}",
        f"nothing is lost: the model of iteration {saved} is saved" if saved else "nothing was trained yet",
        f"type {' or '.join(ways) or other}; --plan shows what fits",
    )
