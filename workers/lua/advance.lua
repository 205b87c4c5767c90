-- Renew the leases of items that the caller still holds and, when a stage is given, note that they entered it.
-- ARGV: lease (ms), stage or '', then per item: id, fence.   Returns per item 1 (held) or 0 (lost or canceled)
local deadline = now_ms() + tonumber(ARGV[1])
local held = {}
for i = 3, #ARGV, 2 do
  local id = ARGV[i]
  if holds(id, ARGV[i + 1]) then
    redis.call('ZADD', P .. 'leases', deadline, id)
    if ARGV[2] ~= '' then redis.call('HSET', P .. 'item:' .. id, 'stage', ARGV[2]) end
    held[#held + 1] = 1
  else
    held[#held + 1] = 0
  end
end
return held
