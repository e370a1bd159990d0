-- Count events of a source against its quotas.
-- KEYS: the count of the day, the count of its open events. ARGV: events, the limit of each (0: none).
-- Returns how many may be accepted, the limit that refuses the others (1 or 2), and which count is missing
-- (1 or 2), with which nothing was counted.
local wanted, granted, refusing = tonumber(ARGV[1]), tonumber(ARGV[1]), 0
for i = 1, 2 do
  local limit = tonumber(ARGV[1 + i])
  if limit > 0 then
    local count = redis.call('GET', KEYS[i])
    if not count then return {0, 0, i} end
    local room = math.max(limit - tonumber(count), 0)
    if room < granted then granted, refusing = room, i end
  end
end
for i = 1, 2 do
  if tonumber(ARGV[1 + i]) > 0 and granted > 0 then redis.call('INCRBY', KEYS[i], granted) end
end
return {granted, refusing, 0}
