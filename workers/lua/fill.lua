-- Bring in the next items of a bulk job, in order. Whoever does it may be killed at any point, and several may do it:
-- only the one whose items follow on those that are there is heard.
-- ARGV: job, items that are there, newest fence of its pictures, when it had finished (ms or ''), then the items as
--       restore_item says
-- Returns {items that are there now, or -1 when no more are wanted, ended jobs}
local j = job(ARGV[1])
local v = redis.call('HMGET', j.key, 'filled', 'total', 'canceling', 'restored')
if not v[1] then return { -1, {} } end
if v[1] ~= ARGV[2] then return { tonumber(v[1]), {} } end
local FIRST = 5
local filled, total = tonumber(v[1]), tonumber(v[2])
local now = now_ms()
local finished = tonumber(ARGV[4]) or now
raise_fence(tonumber(ARGV[3]))
local settled = P .. 'settled:' .. j.id
-- Items that are here already may have ended since they came back: those the recorder still has to write.
local all_journaled = tonumber(redis.call('HGET', j.key, 'journaled') or 0) == redis.call('LLEN', settled)

for at = FIRST, #ARGV, RESTORED_FIELDS do
  local id = j.id .. ':' .. filled
  filled = filled + 1
  redis.call('HSET', j.key, 'filled', filled)
  local state = restore_item(id, j, at, finished)
  if state ~= 'queued' then
    move_count(j, 'queued', state)
    count_open(j, -1)
    if state == 'succeeded' then count_stored(j, tonumber(ARGV[at + 10]) or 0) end
    if redis.call('HGET', j.key, 'state') == 'queued' then redis.call('HSET', j.key, 'state', 'running') end
    end_job_if_done(j, finished)
  elseif v[3] then
    dequeue(id, j, bucket_of(j, false))
    settle(id, j, 'queued', 'canceled', now)
    redis.call('HSET', P .. 'item:' .. id, 'canceled_as', 'dequeued')
  end
end
-- What came out of the object store need not be written there again.
if v[4] and not v[3] and all_journaled then redis.call('HSET', j.key, 'journaled', redis.call('LLEN', settled)) end
if filled == total then
  redis.call('HDEL', j.key, 'filled', 'restored')
  redis.call('ZREM', P .. 'filling', j.id)
end
touched[j.id] = true
announce()
return { filled, ended }
