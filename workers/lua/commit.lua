-- Publish results, each only if its fence is still the item's newest. Repeating a commit whose answer was lost is
-- harmless: the same picture under the same fence is committed already.
-- ARGV: per item: id, fence, picture key, digest, bytes, timings.
-- Returns {per item 1 (published) | 0 (refused) | -1 (refused, and no such item is known, nor was removed after its time:
--          Redis has lost it, and is perhaps just being told of it again),
--          ended jobs, items that need not wait any longer for one of these}
local now = now_ms()
local slot = math.floor(now / SLOT_MS)
local published = {}

-- Note pixels finished in this slot; the first of a slot removes those that no rate is made of any more.
local function drained(j, slot)
  local drain = P .. 'drain:' .. j.model
  if redis.call('HINCRBY', drain, slot, j.pixels) > j.pixels then return end
  for _, old in ipairs(redis.call('HKEYS', drain)) do
    if tonumber(old) <= slot - RATE_SLOTS then redis.call('HDEL', drain, old) end
  end
end

for i = 1, #ARGV, 6 do
  local id, fence, picture = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if holds(id, fence) then
    local j = job(job_of(id))
    redis.call('HSET', P .. 'item:' .. id, 'picture', picture, 'digest', ARGV[i + 3], 'bytes', ARGV[i + 4],
      'timings', ARGV[i + 5])
    settle(id, j, 'running', 'succeeded', now)
    drained(j, slot)
    count_used(j)
    published[#published + 1] = 1
  elseif redis.call('EXISTS', P .. 'item:' .. id, P .. 'gone:' .. job_of(id)) == 0 then
    published[#published + 1] = -1
  else
    published[#published + 1] = redis.call('HGET', P .. 'item:' .. id, 'picture') == picture and 1 or 0
  end
end
announce()
return { published, ended, freed }
