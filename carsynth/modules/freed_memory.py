"""What a training step frees on a CPU stays at hand for the next step."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST_IN_HEAP = 32 * 2**20  # bytes; glibc takes no more


def keep_freed_memory() -> None:
    """Tells glibc's allocator to hand its freed heap back to the system no more, in this process.

    By default it gives back whatever lies free at the heap's end, so that each step has the same
    pages zeroed by the system again. The peak stays what it was, and tensors of more than 32 MiB
    still come from the system and go back there. Where the C library is another one, nothing
    happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST_IN_HEAP)  # or the next line would fix it at 128 KiB
    mallopt(_TRIM_THRESHOLD, -1)
