-- Hand a worker up to a batch of items of one bucket, each under a lease and a fence.
-- The most urgent class that has work for this worker decides; inside it, the owner that was served the fewest
-- pixels; of that owner, the oldest item. The batch is then filled from the same bucket in the same order. Items whose
-- like is being computed are not handed out but parked, as parking.lua says.
-- ARGV: worker, device, lease (ms), most items, most pixels, models...
-- Returns {bucket or '', a served model that has more waiting or '', items, ended jobs, {job, spec, ...} of the items}
local worker, device, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local served = {}
for i = 6, #ARGV do served[ARGV[i]] = true end
local now = now_ms()
local PAGE = 32
local MOST_EXPIRED = 500 -- in one call; the next one goes on
local expired, parked = 0, 0

-- The first (rank, owner, bucket) in scheduling order for which matches(bucket) holds.
local function first(matches)
  for rank = 0, 2 do
    local offset = 0
    repeat
      local owners = redis.call('ZRANGE', P .. 'ring:' .. rank, offset, offset + PAGE - 1)
      for _, owner in ipairs(owners) do
        for _, bucket in ipairs(redis.call('ZRANGE', P .. 'heads:' .. rank .. ':' .. owner, 0, -1)) do
          if matches(bucket) then return rank, owner, bucket end
        end
      end
      offset = offset + PAGE
    until #owners < PAGE
  end
end

local function is_served(bucket)
  return served[model_of(bucket)]
end

local function batch_limit(bucket, pixels)
  if string.sub(bucket, -6) == '!alone' then return 1 end
  local limit = math.min(tonumber(ARGV[4]), math.floor(tonumber(ARGV[5]) / pixels))
  local ceiling = tonumber(redis.call('HGET', P .. 'ceilings:' .. device, bucket) or limit)
  return math.max(1, math.min(limit, ceiling))
end

local function take(rank, owner, bucket)
  local id = redis.call('ZRANGE', P .. 'pending:' .. rank .. ':' .. owner .. ':' .. bucket, 0, 0)[1]
  local j = job(job_of(id))
  if j.deadline_ms and j.deadline_ms <= now then
    dequeue(id, j, bucket)
    settle(id, j, 'queued', 'expired', now)
    expired = expired + 1
    return
  end
  local item = P .. 'item:' .. id
  local v = redis.call('HMGET', item, 'map', 'instance', 'seed', 'identity', 'twin')
  if v[4] and not v[5] and must_park(id, v[4]) then
    park(id, j, bucket, v[4])
    parked = parked + 1
    return
  end
  charge(rank, owner, j.pixels)
  dequeue(id, j, bucket)
  local fence = next_fence()
  local attempt = redis.call('HINCRBY', item, 'attempts', 1)
  redis.call('HSET', item, 'state', 'running', 'stage', 'claimed', 'fence', fence, 'worker', worker)
  redis.call('ZADD', P .. 'leases', now + lease_ms, id)
  move_count(j, 'queued', 'running')
  if redis.call('HSETNX', j.key, 'started_ms', now) == 1 then redis.call('HSET', j.key, 'state', 'running') end
  return { id, fence, attempt, v[1], v[2], v[3], j.format, j.quality, now - j.created_ms, v[5] or '' }
end

local _, _, bucket = first(is_served)
local batch = {}
local pixels
while bucket and expired < MOST_EXPIRED and parked < MOST_PARKED do
  local rank, owner, found = first(function(candidate) return candidate == bucket end)
  if not found then break end
  pixels = pixels or job(job_of(
    redis.call('ZRANGE', P .. 'pending:' .. rank .. ':' .. owner .. ':' .. bucket, 0, 0)[1])).pixels
  if #batch >= batch_limit(bucket, pixels) then break end
  local taken = take(rank, owner, bucket)
  if taken then batch[#batch + 1] = taken end
end
local specs, has_spec = {}, {}
for _, taken in ipairs(batch) do
  local job_id = job_of(taken[1])
  if not has_spec[job_id] then
    has_spec[job_id] = true
    specs[#specs + 1] = job_id
    specs[#specs + 1] = redis.call('HGET', P .. 'job:' .. job_id, 'spec')
  end
end
local alone = #batch == 1 and '1' or '0'
for _, taken in ipairs(batch) do redis.call('HSET', P .. 'item:' .. taken[1], 'alone', alone) end
announce()
local _, _, next_bucket = first(is_served)
return { bucket or '', next_bucket and model_of(next_bucket) or '', batch, ended, specs }
