-- How attempts and items end; put in front of each script by workers/scripts.py, behind parking.lua.
local ended = {}
local function end_job_if_done(j, now)
  local c = redis.call('HMGET', j.key, 'queued', 'running', 'failed', 'expired', 'canceled')
  if tonumber(c[1]) + tonumber(c[2]) > 0 then return end
  local state = 'succeeded'
  if tonumber(c[3]) > 0 then state = 'failed'
  elseif tonumber(c[4]) > 0 then state = 'expired'
  elseif tonumber(c[5]) > 0 then state = 'canceled' end
  redis.call('HSET', j.key, 'state', state, 'finished_ms', now)
  note_unrecorded(j, now)
  redis.call('ZADD', P .. 'ended', now, j.id)
  redis.call('HINCRBY', P .. 'totals', 'jobs|' .. j.model .. '|' .. state .. '|', 1)
  call_webhook(j, now)
  ended[#ended + 1] = j.id
end

-- The last transition of an item.
local function settle(id, j, from, to, now)
  redis.call('HSET', P .. 'item:' .. id, 'state', to, 'finished_ms', now)
  redis.call('ZREM', P .. 'leases', id)
  redis.call('RPUSH', P .. 'settled:' .. j.id, string.match(id, '%d+$'))
  move_count(j, from, to)
  count_open(j, -1)
  if from == 'running' then free_parked(id) end
  if to == 'succeeded' then count_stored(j, redis.call('HGET', P .. 'item:' .. id, 'bytes') or 0) end
  local reason = to == 'failed' and redis.call('HGET', P .. 'item:' .. id, 'reason') or ''
  redis.call('HINCRBY', P .. 'totals', 'items|' .. j.model .. '|' .. to .. '|' .. reason, 1)
  end_job_if_done(j, now)
end

local function requeue(id, j, alone)
  local item = P .. 'item:' .. id
  redis.call('HSET', item, 'state', 'queued', 'pending_alone', alone and '1' or '0')
  redis.call('ZREM', P .. 'leases', id)
  move_count(j, 'running', 'queued')
  free_parked(id)
  enqueue(id, j, redis.call('HGET', item, 'seq'), alone)
end

local function fail(id, j, reason, detail, now)
  redis.call('HSET', P .. 'item:' .. id, 'reason', reason, 'detail', detail)
  note_newest('failures', id, now)
  note_unrecorded(j, now) -- also before the job ends: nothing else in the object store tells of this
  settle(id, j, 'running', 'failed', now)
end

-- Behind the others, which may be healthy.
local function to_the_back(id)
  redis.call('HSET', P .. 'item:' .. id, 'seq', redis.call('INCR', P .. 'seq'))
end

-- An attempt was lost. Only an item that was lost alone is to blame; one lost in company is tried alone first.
local function lose(id, j, detail, max_losses, now)
  local item = P .. 'item:' .. id
  local losses = tonumber(redis.call('HGET', item, 'losses'))
  if redis.call('HGET', item, 'alone') == '1' then
    losses = redis.call('HINCRBY', item, 'losses', 1)
    to_the_back(id)
  end
  if losses >= max_losses then
    redis.call('ZADD', P .. 'dead', now, id)
    fail(id, j, 'poison', detail, now)
  else
    requeue(id, j, true)
  end
end

-- An item as the object store tells of it: it waits, or has ended. Returns its state. ARGV from `at`: label map key,
-- instance map key, seed, file, state, attempts, reason, detail, picture, digest, bytes, timings, fence.
local RESTORED_FIELDS = 13
local OPTIONAL = { 'reason', 'detail', 'picture', 'digest', 'bytes', 'timings', 'fence' }
local function restore_item(id, j, at, finished)
  local state, item = ARGV[at + 4], P .. 'item:' .. id
  local seq = create_item(id, ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  redis.call('HSET', item, 'state', state, 'attempts', ARGV[at + 5])
  for offset, name in ipairs(OPTIONAL) do
    local value = ARGV[at + 5 + offset]
    if value ~= '' then redis.call('HSET', item, name, value) end
  end
  if state == 'queued' then
    enqueue(id, j, seq, false)
  else
    local reason = state == 'failed' and ARGV[at + 6] or ''
    redis.call('HSET', item, 'finished_ms', finished)
    redis.call('RPUSH', P .. 'settled:' .. j.id, string.match(id, '%d+$'))
    if reason == 'poison' then redis.call('ZADD', P .. 'dead', finished, id) end
    if state == 'failed' then note_newest('failures', id, finished) end
    if state == 'succeeded' then count_used(j) end
    redis.call('HINCRBY', P .. 'totals', 'items|' .. j.model .. '|' .. state .. '|' .. reason, 1)
  end
  return state
end
