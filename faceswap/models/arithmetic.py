"""In which numbers layers compute."""

from contextlib import AbstractContextManager, nullcontext

import torch


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """While entered layers compute in `dtype`: bf16 where that is exact enough, or float32 throughout.

    On "meta", where there are shapes and no numbers, torch has no autocast and nothing changes.
    """
    if device.type == "meta":
        return nullcontext()
    return torch.autocast(device.type, dtype, enabled=dtype is not torch.float32)
