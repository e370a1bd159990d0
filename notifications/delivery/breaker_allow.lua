-- Ask whether a provider may be called; breaker_record.lua describes the hash. ARGV: now in ms or 0 for the
-- server's clock, probes, ms after which probes without a result are forgotten.
-- Returns {state, ms to wait}: state 0 closed, 1 open, 2 the caller may send one probe.
local now, probes, stuck_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if now == 0 then
  local time = redis.call('TIME')
  now = math.floor(time[1] * 1000 + time[2] / 1000)
end
local stored = redis.call('HMGET', KEYS[1], 'until', 'for', 'probed')
local until_, length, last = tonumber(stored[1] or 0), tonumber(stored[2] or 0), tonumber(stored[3] or 0)
if until_ == 0 then return {0, 0} end
if until_ - now > length then -- the server's clock was set back
  until_ = now + length
  redis.call('HSET', KEYS[1], 'until', until_)
end
if until_ > now then return {1, until_ - now} end
if now - last > stuck_ms or now < last then redis.call('HDEL', KEYS[1], 'p', 's') end
if redis.call('HINCRBY', KEYS[1], 'p', 1) > probes then return {1, 1000} end
redis.call('HSET', KEYS[1], 'probed', now)
return {2, 0}
