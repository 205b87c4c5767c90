-- Identical items in flight are computed once; put in front of each script by workers/scripts.py, behind common.lua.
--
-- The first of them to be claimed leads: `inflight` names it while it runs. Others that are claimed meanwhile are parked:
-- still queued, they count and wait as before, but are not pending. When the leader leaves `running` they are pending
-- again, at their old places; after a commit with the leader's picture as their `twin`, which they need only copy.
local MOST_PARKED = 500 -- with one leader, and by one claim: all of them are freed in one call

local function leader_of(identity)
  local leader = redis.call('HGET', P .. 'inflight', identity)
  if leader and redis.call('HGET', P .. 'item:' .. leader, 'state') == 'running' then return leader end
end

-- Whether an item that is about to be handed out has to wait instead for the one that leads.
local function must_park(id, identity)
  if leader_of(identity) then return redis.call('ZCARD', P .. 'parked:' .. identity) < MOST_PARKED end
  redis.call('HSET', P .. 'inflight', identity, id)
  return false
end

local function park(id, j, bucket, identity)
  make_not_pending(id, j, bucket)
  redis.call('ZADD', P .. 'parked:' .. identity, redis.call('HGET', P .. 'item:' .. id, 'seq'), id)
end

local function is_parked(id, identity)
  return identity and redis.call('ZSCORE', P .. 'parked:' .. identity, id) and leader_of(identity)
end

-- An item leaves `running`: if it leads, those that are parked need not wait any longer.
local freed = 0
local function free_parked(id)
  local identity = redis.call('HGET', P .. 'item:' .. id, 'identity')
  if not identity or redis.call('HGET', P .. 'inflight', identity) ~= id then return end
  redis.call('HDEL', P .. 'inflight', identity)
  local parked = redis.call('ZRANGE', P .. 'parked:' .. identity, 0, -1)
  if #parked == 0 then return end
  redis.call('DEL', P .. 'parked:' .. identity)
  local v = redis.call('HMGET', P .. 'item:' .. id, 'state', 'picture', 'digest', 'bytes')
  local twin = v[1] == 'succeeded' and cjson.encode({ v[2], v[3], tonumber(v[4]) })
  for _, other in ipairs(parked) do
    local item = P .. 'item:' .. other
    if twin then redis.call('HSET', item, 'twin', twin) end
    local place = redis.call('HMGET', item, 'seq', 'pending_alone')
    make_pending(other, job(job_of(other)), place[1], place[2] == '1')
  end
  freed = freed + #parked
end

-- Out of the queue without having been handed out, pending or parked.
local function withdraw(id, j)
  local v = redis.call('HMGET', P .. 'item:' .. id, 'pending_alone', 'identity')
  if v[2] and redis.call('ZREM', P .. 'parked:' .. v[2], id) == 1 then
    stop_waiting(id, j)
  else
    dequeue(id, j, bucket_of(j, v[1] == '1'))
  end
end
