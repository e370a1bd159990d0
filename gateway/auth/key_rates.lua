-- A token bucket as GCRA: take `cost` tokens if there are so many, or the bucket is full.
-- KEYS: the theoretical arrival time. ARGV: interval of one token in ms, burst, cost, now in ms or 0.
-- Returns whether they were taken, how many are left, ms until so many are there, ms until the bucket is full.
local interval, burst, cost, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
local full = burst * interval
-- What is stored can be further ahead only if the rate was changed, or the server's clock set back.
local debt = math.max(tonumber(redis.call('GET', KEYS[1]) or now) - now, 0)
if debt > full + 4096 * interval then debt = full end
local wait = debt + math.min(cost, burst) * interval - full
if wait <= 0.001 then
  debt = debt + cost * interval
  redis.call('SET', KEYS[1], string.format('%.3f', now + debt), 'PX', math.ceil(debt) + 1000)
  wait = 0
end
local left = math.max(math.floor((full - debt) / interval + 0.001), 0)
return {wait == 0 and 1 or 0, left, math.ceil(wait), math.ceil(debt)}
