-- A provider's Retry-After: hold one limit. Several recipients refused within a second mean that the sender as
-- a whole is limited: then hold the widest limit too.
-- KEYS: the narrow hold, the wide hold, the strikes of the wide one.
-- ARGV: now in ms or 0 for the server's clock, the wait in ms, strikes that hold the wide limit.
local now, wait = tonumber(ARGV[1]), tonumber(ARGV[2])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
redis.call('SET', KEYS[1], now + wait, 'PX', math.ceil(wait))
local strikes = redis.call('INCR', KEYS[3])
if strikes == 1 then redis.call('PEXPIRE', KEYS[3], 1000) end
if strikes >= tonumber(ARGV[3]) then redis.call('SET', KEYS[2], now + wait, 'PX', math.ceil(wait)) end
