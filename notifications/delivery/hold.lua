-- A provider's Retry-After: hold one limit. Several recipients refused within a second mean that the sender as
-- a whole is limited: then hold the widest limit too.
-- A hold is "until length", both in ms: with its length it ends although the server's clock was set back.
-- KEYS: the narrow hold, the wide hold, the strikes of the wide one.
-- ARGV: now in ms or 0 for the server's clock, the wait in ms, strikes that hold the wide limit.
local now, wait = tonumber(ARGV[1]), tonumber(ARGV[2])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
local hold = string.format('%.0f %.0f', now + wait, wait)
redis.call('SET', KEYS[1], hold, 'PX', math.ceil(wait))
local strikes = redis.call('INCR', KEYS[3])
if strikes == 1 or redis.call('PTTL', KEYS[3]) > 1000 then redis.call('PEXPIRE', KEYS[3], 1000) end
if strikes >= tonumber(ARGV[3]) then redis.call('SET', KEYS[2], hold, 'PX', math.ceil(wait)) end
