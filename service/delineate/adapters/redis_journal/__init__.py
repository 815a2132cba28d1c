"""The journal, result store and leases that several processes share: Redis.

How durable they are is Redis's configuration, not ours:

- ``appendonly yes`` and ``appendfsync always`` (orthanc/redis.conf): Redis answers a write after it was synced to disk,
  so that what a caller saw succeed survives the death of Redis and of its machine. With ``everysec`` the last second
  may be lost: sessions are then found as they were a second before.
- ``maxmemory-policy noeviction``: any other policy lets Redis delete sessions when memory runs short.
- Replicas get writes after the answer. A failover may lose the last ones, and grant their epochs again. Redis has
  ``WAIT`` for that (and ``WAITAOF`` from 7.2 on), which bound the loss but do not undo a write that reached too few;
  they are not used: one primary with the settings above is what is tested.
- ``durability_faults`` names what a running Redis lacks of this.

All journals within retention lie in Redis's memory. Redis Cluster is not supported: a script touches the keys of a
session and those shared by all.
"""

from delineate.adapters.redis_journal.connection import Connection, durability_faults
from delineate.adapters.redis_journal.journal import RedisJournal
from delineate.adapters.redis_journal.leases import RedisLeases
from delineate.adapters.redis_journal.news import ResultNews

__all__ = ["Connection", "RedisJournal", "RedisLeases", "ResultNews", "durability_faults"]
