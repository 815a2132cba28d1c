"""The port ``VolumeCache``: memory-mapped files on local disk, or this process's memory."""

from delineate.adapters.volume_cache.cache import FileVolumeCache
from delineate.adapters.volume_cache.memory import MemoryVolumeCache

__all__ = ["FileVolumeCache", "MemoryVolumeCache"]
