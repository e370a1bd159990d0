-- One send: return its wait in ms. Below the horizon its slot is reserved; from there on nothing is.
-- KEYS: one per limit (its theoretical arrival time), then the hold of each limit.
-- ARGV: horizon in ms, now in ms or 0 for the server's clock, 1 if the send has a slot already, the longest
-- horizon of any send, then interval and burst of each limit.
local horizon, now, slot, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
-- What is stored can be further ahead only if the server's clock was set back since.
local function arrival(key, interval, burst)
  local tat = math.max(tonumber(redis.call('GET', key) or now), now)
  return tat - now > longest + burst * interval and now or tat
end
local function held_until(key)
  local until_, length = string.match(redis.call('GET', key) or '', '^(%S+) (%S+)$')
  until_, length = tonumber(until_ or now), tonumber(length or 0)
  if until_ - now <= length then return until_ end
  redis.call('SET', key, string.format('%.0f %.0f', now + length, length), 'PX', math.ceil(length))
  return now + length
end
local limits, start, wait, held = #KEYS / 2, {}, 0, false
for i = 1, limits do
  local interval, burst = tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i])
  local hold, tat = held_until(KEYS[limits + i]), arrival(KEYS[i], interval, burst)
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
  local tat = start[i] + tonumber(ARGV[3 + 2 * i])
  redis.call('SET', KEYS[i], tat, 'PX', math.ceil(tat - now) + 1000)
end
return math.ceil(wait)
