-- Shared by every transition; put in front of each script by workers/scripts.py, before parking.lua and endings.lua.
--
-- Keys, all behind one prefix P whose hash tag keeps them in one slot of a cluster:
--   job:<job>                         hash   the job, with the number of its items in each state
--   item:<job>:<index>                hash   the item: state, fence, attempts, losses, result
--   pending:<rank>:<owner>:<bucket>   zset   waiting items by sequence number (first in, first out)
--   heads:<rank>:<owner>              zset   the owner's buckets by their oldest sequence number
--   ring:<rank>                       zset   owners with waiting items by virtual time (pixels served)
--   clock:<rank>, debt:<rank>         virtual time of the class, and of owners that left the ring
--   waiting:<model>:<rank>            zset   waiting items by submit time, for depth, age and position
--   inflight                          hash   running item of each identity that others may wait for
--   parked:<identity>                 zset   waiting items that are not pending until that one is done, by sequence number
--   leases, deadlines                 zset   running / waiting items by the time at which they fall due (ms)
--   jobs:<owner>, unrecorded, ended   zset   jobs by creation; jobs whose stored record is behind; ended jobs
--   filling, forgetting               zset   jobs whose items are still coming in; removed jobs whose items are not yet
--   settled:<job>                     list   indices of items in the order in which they came to their final states
--   dead                              zset   items given up as poison
--   recent, failures                  zset   the newest jobs by creation, and the newest items that failed, for operators
--   open                              hash   open items and pixels, total and per owner
--   used                              hash   pictures and pixels that each owner was given since ever
--   stored                            hash   bytes of inputs and pictures by owner; each job has its own in `stored`
--   rate:<key>                        string when an API key has all its requests again (us)
--   drain:<model>                     hash   pixels finished per 10 s slot of the last minute
--   totals                            hash   counters since ever: items|<model>|<state>|<reason>, jobs|<model>|<state>|
--   workers, seen                     hash   what each worker last said of itself; zset: when that was
--   absent                            zset   models that a worker asks the others for, by their newest waiting job
--   ceilings:<device>                 hash   items of a bucket that fit into the device's memory
--   reserved:<job>                    string who stores the inputs of a job of this id just now
--   reaper                            string the worker whose turn it is
--   doomed                            zset   jobs that are gone and whose objects are to be removed, by the last try
--   gone:<job>                        string owner of a job whose retention is over
local P = KEYS[1]
local SLOT_MS = 10000
local RATE_SLOTS = 6
local KEPT_FOR_OPERATORS = 100

-- The only place that asks what time it is.
local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function now_ms()
  return math.floor(now_us() / 1000)
end

local function job_of(id)
  return string.match(id, '^(.*):%d+$')
end

local function model_of(bucket)
  return string.match(bucket, '^([^@]*)@')
end

-- What the transitions need of a job, read once per script.
local jobs_read = {}
local function job(job_id)
  local known = jobs_read[job_id]
  if not known then
    local v = redis.call('HMGET', P .. 'job:' .. job_id, 'owner', 'model', 'bucket', 'rank', 'pixels', 'deadline_ms',
      'format', 'quality', 'created_ms')
    known = { id = job_id, key = P .. 'job:' .. job_id, owner = v[1], model = v[2], bucket = v[3], rank = v[4],
      pixels = tonumber(v[5]), deadline_ms = tonumber(v[6]), format = v[7], quality = v[8],
      created_ms = tonumber(v[9]) }
    jobs_read[job_id] = known
  end
  return known
end

-- Readers that wait for a job are told once per script, after all its changes.
local touched = {}
local function announce()
  for job_id in pairs(touched) do
    local changes = redis.call('HINCRBY', P .. 'job:' .. job_id, 'changes', 1)
    redis.call('PUBLISH', P .. 'changes:' .. job_id, changes)
  end
end

local function move_count(j, from, to)
  redis.call('HINCRBY', j.key, from, -1)
  redis.call('HINCRBY', j.key, to, 1)
  touched[j.id] = true
end

-- An owner that comes back starts no earlier than the clock, so that idling earns no credit, and no earlier than
-- where it left, so that leaving forgives no debt (start-time fair queueing).
local function join_ring(rank, owner)
  local ring = P .. 'ring:' .. rank
  if redis.call('ZSCORE', ring, owner) then return end
  local clock = tonumber(redis.call('GET', P .. 'clock:' .. rank) or 0)
  local debt = tonumber(redis.call('HGET', P .. 'debt:' .. rank, owner) or 0)
  redis.call('HDEL', P .. 'debt:' .. rank, owner)
  redis.call('ZADD', ring, math.max(clock, debt), owner)
end

local function leave_ring(rank, owner)
  local ring = P .. 'ring:' .. rank
  redis.call('HSET', P .. 'debt:' .. rank, owner, redis.call('ZSCORE', ring, owner))
  redis.call('ZREM', ring, owner)
end

local function charge(rank, owner, pixels)
  local ring = P .. 'ring:' .. rank
  redis.call('SET', P .. 'clock:' .. rank, redis.call('ZSCORE', ring, owner))
  redis.call('ZINCRBY', ring, pixels, owner)
end

-- Items that were lost in a batch wait in a bucket of their own whose batches have one item.
local function bucket_of(j, alone)
  if alone then return j.bucket .. '!alone' end
  return j.bucket
end

local function make_pending(id, j, seq, alone)
  local bucket = bucket_of(j, alone)
  redis.call('ZADD', P .. 'pending:' .. j.rank .. ':' .. j.owner .. ':' .. bucket, seq, id)
  redis.call('ZADD', P .. 'heads:' .. j.rank .. ':' .. j.owner, 'LT', seq, bucket)
  join_ring(j.rank, j.owner)
end

local function make_not_pending(id, j, bucket)
  local pending = P .. 'pending:' .. j.rank .. ':' .. j.owner .. ':' .. bucket
  local heads = P .. 'heads:' .. j.rank .. ':' .. j.owner
  redis.call('ZREM', pending, id)
  local head = redis.call('ZRANGE', pending, 0, 0, 'WITHSCORES')
  if head[1] then
    redis.call('ZADD', heads, head[2], bucket)
  else
    redis.call('ZREM', heads, bucket)
    if redis.call('EXISTS', heads) == 0 then leave_ring(j.rank, j.owner) end
  end
end

local function stop_waiting(id, j)
  redis.call('ZREM', P .. 'waiting:' .. j.model .. ':' .. j.rank, id)
  redis.call('ZREM', P .. 'deadlines', id)
end

local function enqueue(id, j, seq, alone)
  make_pending(id, j, seq, alone)
  redis.call('ZADD', P .. 'waiting:' .. j.model .. ':' .. j.rank, j.created_ms, id)
  if j.deadline_ms then redis.call('ZADD', P .. 'deadlines', j.deadline_ms, id) end
end

local function dequeue(id, j, bucket)
  make_not_pending(id, j, bucket)
  stop_waiting(id, j)
end

-- Put `id` among the newest of a list that operators look at.
local function note_newest(list, id, time)
  redis.call('ZADD', P .. list, time, id)
  redis.call('ZREMRANGEBYRANK', P .. list, 0, -1 - KEPT_FOR_OPERATORS)
end

-- A new job, all of whose items are queued, and one of its items. The job's fields may have an empty deadline_ms.
-- Of a bulk job no item is there yet; fill.lua brings them in. Until then they count as queued and open, so that the job
-- cannot end and the caps hold.
local function create_job(job_id, fields, total, is_bulk, created_ms)
  local key = P .. 'job:' .. job_id
  redis.call('HSET', key, 'state', 'queued', 'total', total, 'queued', total, 'running', 0, 'succeeded', 0,
    'failed', 0, 'canceled', 0, 'expired', 0, 'changes', 1, 'created_ms', created_ms)
  for name, value in pairs(fields) do
    if value ~= '' then redis.call('HSET', key, name, value) end
  end
  if is_bulk then
    redis.call('HSET', key, 'filled', 0)
    redis.call('ZADD', P .. 'filling', created_ms, job_id)
  end
  redis.call('ZADD', P .. 'jobs:' .. fields.owner, created_ms, job_id)
  redis.call('SADD', P .. 'models', fields.model)
  note_newest('recent', job_id, created_ms)
  redis.call('HINCRBY', P .. 'totals', 'items|' .. fields.model .. '|accepted|', total)
  redis.call('HINCRBY', P .. 'totals', 'jobs|' .. fields.model .. '|accepted|', 1)
end

local function create_item(id, label_map, instance_map, seed, file)
  local seq = redis.call('INCR', P .. 'seq')
  redis.call('HSET', P .. 'item:' .. id, 'state', 'queued', 'seq', seq, 'map', label_map, 'instance', instance_map,
    'seed', seed, 'file', file, 'attempts', 0, 'losses', 0)
  return seq
end

local function count_open(j, items)
  redis.call('HINCRBY', P .. 'open', 'items', items)
  redis.call('HINCRBY', P .. 'open', 'pixels', items * j.pixels)
  redis.call('HINCRBY', P .. 'open', 'items:' .. j.owner, items)
  redis.call('HINCRBY', P .. 'open', 'pixels:' .. j.owner, items * j.pixels)
end

-- Inputs and pictures of a job that are kept, or no longer. A picture that several items share counts for each.
local function count_stored(j, bytes)
  redis.call('HINCRBY', j.key, 'stored', bytes)
  redis.call('HINCRBY', P .. 'stored', j.owner, bytes)
end

-- A picture that an owner was given.
local function count_used(j)
  redis.call('HINCRBY', P .. 'used', 'pictures:' .. j.owner, 1)
  redis.call('HINCRBY', P .. 'used', 'pixels:' .. j.owner, j.pixels)
end

-- What became of the job has to be written to the object store. The mark tells whoever writes whether that was the
-- newest there is.
local function note_unrecorded(j, now)
  redis.call('HINCRBY', j.key, 'mark', 1)
  redis.call('ZADD', P .. 'unrecorded', now, j.id)
end

-- Fences rise for ever, also when Redis has lost everything, or the last seconds of it: each is at least the time in
-- microseconds, which is above all that were given before at less than a million claims a second.
local function next_fence()
  local fence = math.max(now_us(), tonumber(redis.call('GET', P .. 'fence') or 0) + 1)
  redis.call('SET', P .. 'fence', string.format('%.0f', fence))
  return fence
end

local function raise_fence(newest)
  if newest >= next_fence() then redis.call('SET', P .. 'fence', string.format('%.0f', newest)) end
end

local function holds(id, fence)
  local v = redis.call('HMGET', P .. 'item:' .. id, 'state', 'fence')
  return v[1] == 'running' and v[2] == fence
end

-- Pixels a second over the last minute, as JobReader tells them.
local function drain_rate(model, now)
  local slot = math.floor(now / SLOT_MS)
  local pixels = 0
  local slots = redis.call('HGETALL', P .. 'drain:' .. model)
  for i = 1, #slots, 2 do
    if tonumber(slots[i]) > slot - RATE_SLOTS then pixels = pixels + tonumber(slots[i + 1]) end
  end
  return pixels / ((RATE_SLOTS - 1) * SLOT_MS / 1000 + (now % SLOT_MS) / 1000)
end
