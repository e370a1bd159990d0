-- One send: return its wait in ms. Below the horizon its slot is reserved; from there on nothing is.
-- KEYS: one per limit (its theoretical arrival time), then the hold of each limit.
-- ARGV: horizon in ms, now in ms or 0 for the server's clock, 1 if the send has a slot already, then interval
-- and burst of each limit.
local horizon, now, slot = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
local limits, start, wait, held = #KEYS / 2, {}, 0, false
for i = 1, limits do
  local interval, burst = tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i])
  local hold = tonumber(redis.call('GET', KEYS[limits + i]) or now)
  local tat = math.max(tonumber(redis.call('GET', KEYS[i]) or now), now)
  if hold > now then
    held = true
    tat = math.max(tat, hold + (burst - 1) * interval)
  end
  start[i] = tat
  wait = math.max(wait, tat - (burst - 1) * interval - now)
end
if slot and not held then return 0 end
if wait >= horizon then return math.ceil(horizon) end
for i = 1, limits do
  local tat = start[i] + tonumber(ARGV[2 + 2 * i])
  redis.call('SET', KEYS[i], tat, 'PX', math.ceil(tat - now) + 1000)
end
return math.ceil(wait)
