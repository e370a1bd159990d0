-- One event of a type for a person: return 0 if it may be sent, else when (Unix ms) the next one may.
-- KEYS: the names of those sent within the period, by time. ARGV: now in ms, the period in ms, how many, its name.
local sent, now, period, at_most, name = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
redis.call('ZREMRANGEBYSCORE', sent, '-inf', now - period)
if redis.call('ZSCORE', sent, name) then return 0 end  -- it has come again
local count = redis.call('ZCARD', sent)
if count < at_most then
  redis.call('ZADD', sent, now, name)
  redis.call('PEXPIRE', sent, period)
  return 0
end
local first = redis.call('ZRANGE', sent, count - at_most, count - at_most, 'WITHSCORES')
return string.format('%.0f', first[2] + period)
