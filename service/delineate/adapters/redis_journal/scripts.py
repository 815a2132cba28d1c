"""What Redis does at one stroke: Lua scripts, each run alone and logged as one transaction.

A call that was cut off is repeated by its caller, so that each script gives the same effect and answer when run again.
"""

APPEND = """
-- keys: stream, fence, recent, sessions, ended, the user's openings; arguments: session, epoch, token, time,
-- how it opened, whether it ended, then kind, at, data, blob per entry
-- answers 1 if the entries are there, 0 if the epoch is not the session's
if redis.call('LPOS', KEYS[3], ARGV[3]) then return 1 end
if (redis.call('GET', KEYS[2]) or '0') ~= ARGV[2] then return 0 end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZADD', KEYS[4], ARGV[4], ARGV[1]) end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[6], ARGV[1], ARGV[5]) end
if ARGV[6] == '1' then redis.call('SADD', KEYS[5], ARGV[1]) end
for n = 7, #ARGV, 4 do
  redis.call('XADD', KEYS[1], '*', 'kind', ARGV[n], 'at', ARGV[n + 1], 'data', ARGV[n + 2], 'blob', ARGV[n + 3])
end
redis.call('LPUSH', KEYS[3], ARGV[3])
redis.call('LTRIM', KEYS[3], 0, 31)
return 1
"""

PURGE = """
-- keys: stream, fence, recent, sessions, ended, the user's openings, lease; arguments: session, epoch
-- answers 1 if the session is gone, 0 if the epoch is not the session's
local epoch = redis.call('GET', KEYS[2]) or '0'
if epoch ~= ARGV[2] then
  if redis.call('EXISTS', KEYS[1]) == 0 then return 1 end
  return 0
end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[7])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('SREM', KEYS[5], ARGV[1])
redis.call('HDEL', KEYS[6], ARGV[1])
return 1
"""

ACQUIRE = """
-- keys: lease, fence, epochs; arguments: owner, milliseconds, the epoch that the owner had (0: none)
-- answers the epoch, or 0 if another owner holds the lease
local epoch = redis.call('GET', KEYS[2])
if epoch ~= ARGV[3] then
  local owner = redis.call('GET', KEYS[1])
  if owner and owner ~= ARGV[1] then return 0 end
  epoch = redis.call('INCR', KEYS[3])
  redis.call('SET', KEYS[2], epoch)
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return tonumber(epoch)
"""

RENEW = """
-- keys: lease and fence of each session; arguments: owner, milliseconds, then each epoch
-- answers for each session 1 if its lease goes on, 0 if the session was taken
local renewed = {}
for n = 1, #KEYS / 2 do
  renewed[n] = 0
  if redis.call('GET', KEYS[2 * n]) == ARGV[n + 2] then
    redis.call('SET', KEYS[2 * n - 1], ARGV[1], 'PX', ARGV[2])
    renewed[n] = 1
  end
end
return renewed
"""

RELEASE = """
-- keys: lease and fence of each session; arguments: each epoch
for n = 1, #ARGV do
  if redis.call('GET', KEYS[2 * n]) == ARGV[n] then redis.call('DEL', KEYS[2 * n - 1], KEYS[2 * n]) end
end
return 1
"""
