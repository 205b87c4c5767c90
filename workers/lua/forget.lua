-- Remove an ended job whose retention is over; a tombstone tells later readers that it was there.
-- Its objects are still there: it is listed among the doomed until they are removed.
-- ARGV: job, tombstone's life (s)
local j = job(ARGV[1])
if not j.owner then return 0 end
if redis.call('HEXISTS', j.key, 'finished_ms') == 0 then return 0 end -- open again since it was looked at
for index = 0, tonumber(redis.call('HGET', j.key, 'total')) - 1 do
  local id = j.id .. ':' .. index
  redis.call('DEL', P .. 'item:' .. id)
  redis.call('ZREM', P .. 'dead', id)
end
count_stored(j, -tonumber(redis.call('HGET', j.key, 'stored') or 0))
list_webhook(j.owner, j.id, nil)
redis.call('DEL', j.key, P .. 'settled:' .. j.id)
redis.call('ZREM', P .. 'jobs:' .. j.owner, j.id)
redis.call('ZREM', P .. 'ended', j.id)
redis.call('ZREM', P .. 'unrecorded', j.id)
redis.call('ZADD', P .. 'doomed', now_ms(), j.id)
redis.call('SET', P .. 'gone:' .. j.id, j.owner, 'EX', ARGV[2])
return 1
