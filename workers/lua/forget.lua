-- Remove an ended job whose retention is over, then its items, some with each call; a tombstone tells later readers that
-- it was there. Its objects are still there: it is listed among the doomed until they are removed.
-- ARGV: job, tombstone's life (s), most items   Returns the number of items that are left to remove
local j = job(ARGV[1])
local forgetting = P .. 'forgetting'
if j.owner then
  if redis.call('HEXISTS', j.key, 'finished_ms') == 0 then return 0 end -- open again since it was looked at
  redis.call('ZADD', forgetting, redis.call('HGET', j.key, 'total'), j.id)
  count_stored(j, -tonumber(redis.call('HGET', j.key, 'stored') or 0))
  list_webhook(j.owner, j.id, nil)
  redis.call('DEL', j.key, P .. 'settled:' .. j.id)
  redis.call('ZREM', P .. 'jobs:' .. j.owner, j.id)
  redis.call('ZREM', P .. 'ended', j.id)
  redis.call('ZREM', P .. 'unrecorded', j.id)
  redis.call('ZREM', P .. 'recent', j.id)
  redis.call('ZADD', P .. 'doomed', now_ms(), j.id)
  redis.call('SET', P .. 'gone:' .. j.id, j.owner, 'EX', ARGV[2])
end
local left = tonumber(redis.call('ZSCORE', forgetting, j.id) or 0)
local first = math.max(0, left - tonumber(ARGV[3]))
for index = first, left - 1 do
  local id = j.id .. ':' .. index
  redis.call('DEL', P .. 'item:' .. id)
  redis.call('ZREM', P .. 'dead', id)
  redis.call('ZREM', P .. 'failures', id)
end
if first == 0 then redis.call('ZREM', forgetting, j.id) else redis.call('ZADD', forgetting, first, j.id) end
return first
