"""Device, precision and threads: asked for once, at the edge, and handed down as arguments."""

import ctypes
import platform
from typing import TYPE_CHECKING, Literal

from faceswap.errors import UserError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bf16"]


def choose_device(name: DeviceName) -> "torch.device":
    """The torch device for `name`; "auto" takes cuda, then mps, then cpu.

    Raises UserError when a device is asked for that torch cannot use.
    """
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(device for device in ("cuda", "mps", "cpu") if available[device]))
    if not available[name]:
        usable = ", ".join(device for device, usable in available.items() if usable)
        raise UserError(
            f"--device {name} was asked for, but torch {torch.__version__} finds no such device",
            f"usable here: {usable}",
            "type --device cpu (slow), or install a GPU driver and a torch build that fit each other",
        )
    return torch.device(name)


def choose_dtype(precision: Precision, device: "torch.device") -> "torch.dtype":
    """The arithmetic for networks; "auto" takes bf16 where the device computes it natively, else float32."""
    import torch

    if precision == "auto":
        return torch.bfloat16 if has_bf16(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def has_bf16(device: "torch.device") -> bool:
    """Whether the device multiplies bf16 matrices in hardware (an emulated bf16 is slower than float32)."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
        cpu = torch.cpu
        return bool(
            getattr(cpu, "_is_avx512_bf16_supported", bool)()
            or getattr(cpu, "_is_amx_tile_supported", bool)()
        )
    return False


# Of glibc's mallopt (malloc.h): from where on the heap's end is given back, how many blocks are mapped.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory(device: "torch.device") -> None:
    """Let this process use again what it freed, where it would go to the system and come back, zeroed anew.

    glibc maps every block beyond 32 MB and unmaps it when freed: on the processor a tenth of a training
    iteration went into pages that were taken back and asked for again. For runs that need the same memory
    over and over; does nothing for other devices or where there is no glibc.
    """
    if device.type == "cpu" and platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, -1)
