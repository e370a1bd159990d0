-- One hash per provider: n, f (calls and failures in the window that began at w), until (end of the open
-- state), for (its length in ms), p (probes let through), s (probes that succeeded), probed (last probe).
--
-- Count the results of sends. ARGV: now in ms or 0 for the server's clock, calls, failed calls, window in ms,
-- least calls to decide on, share of failures that opens it, first and longest open time in ms, probes.
-- Returns 0 closed, 1 open, 2 probing.
local now, calls, failed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local window, at_least, share = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local open_ms, open_max, probes = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
if now == 0 then
  local time = redis.call('TIME')
  now = math.floor(time[1] * 1000 + time[2] / 1000)
end
local h = {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do h[flat[i]] = tonumber(flat[i + 1]) end
local until_ = h['until'] or 0
local function open(ms)
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'until', now + ms, 'for', ms)
  redis.call('PEXPIRE', KEYS[1], ms + 600000)
end
if until_ > now then return 1 end
if until_ > 0 then
  if failed > 0 then
    open(math.min((h['for'] or open_ms) * 2, open_max))
    return 1
  end
  local good = redis.call('HINCRBY', KEYS[1], 's', calls)
  if good >= probes then redis.call('DEL', KEYS[1]) return 0 end
  return 2
end
if now - (h['w'] or 0) > window or now < (h['w'] or 0) then
  redis.call('HSET', KEYS[1], 'w', now, 'n', 0, 'f', 0)
  h['n'], h['f'] = 0, 0
end
local n, f = (h['n'] or 0) + calls, (h['f'] or 0) + failed
redis.call('HSET', KEYS[1], 'n', n, 'f', f)
redis.call('PEXPIRE', KEYS[1], 600000)
if n >= at_least and f / n >= share then open(open_ms) return 1 end
return 0
