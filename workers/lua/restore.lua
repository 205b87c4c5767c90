-- Take a job back that the object store knows and Redis does not, whole or not at all; without regard to the caps,
-- since it was accepted already. Items that have not ended wait again, with fresh losses.
-- ARGV: job, owner, model, bucket, rank, pixels, deadline (ms, absolute, or ''), format, quality, spec, digest,
--       created (ms), started (ms or ''), finished (ms or ''), 1 if its final record is stored else 0,
--       newest fence of its pictures, bytes of its inputs, how often it had ended before, what became of its webhook
--       (state, attempts, time (ms or ''), error; the state '' if that is not known), then per item:
--       label map key, instance map key, seed, file, state, attempts,
--       reason, detail, picture, digest, bytes, timings, fence
-- Returns {'restored', ended jobs} | {'exists'} | {'gone'} | {'reserved'}
local job_id, owner, model = ARGV[1], ARGV[2], ARGV[3]
local pixels = tonumber(ARGV[6])
local FIRST, FIELDS = 23, 13
local total = (#ARGV - FIRST + 1) / FIELDS
local now = now_ms()
local created = tonumber(ARGV[12])
local finished = tonumber(ARGV[14]) or now

if redis.call('EXISTS', P .. 'job:' .. job_id) == 1 then return { 'exists' } end
if redis.call('EXISTS', P .. 'gone:' .. job_id) == 1 then return { 'gone' } end
if redis.call('EXISTS', P .. 'reserved:' .. job_id) == 1 then return { 'reserved' } end

if tonumber(ARGV[16]) >= next_fence() then redis.call('SET', P .. 'fence', ARGV[16]) end

create_job(job_id, { owner = owner, model = model, bucket = ARGV[4], rank = ARGV[5], pixels = ARGV[6], format = ARGV[8],
  quality = ARGV[9], spec = ARGV[10], digest = ARGV[11], deadline_ms = ARGV[7] }, total, created)
local j = job(job_id)
-- Above every number of changes that a client may remember.
redis.call('HSET', j.key, 'changes', now)
if ARGV[13] ~= '' then redis.call('HSET', j.key, 'started_ms', ARGV[13]) end
redis.call('HSET', j.key, 'endings', ARGV[18])
if ARGV[19] ~= '' then
  redis.call('HSET', j.key, 'webhook_state', ARGV[19], 'webhook_attempts', ARGV[20], 'webhook_error', ARGV[22])
  if ARGV[21] ~= '' then redis.call('HSET', j.key, 'webhook_ms', ARGV[21]) end
end

local OPTIONAL = { 'reason', 'detail', 'picture', 'digest', 'bytes', 'timings', 'fence' }
local open, counts, stored = 0, {}, tonumber(ARGV[17])
for index = 0, total - 1 do
  local at = FIRST + index * FIELDS
  local id, state = job_id .. ':' .. index, ARGV[at + 4]
  local item = P .. 'item:' .. id
  local seq = create_item(id, ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  redis.call('HSET', item, 'state', state, 'attempts', ARGV[at + 5])
  for offset, name in ipairs(OPTIONAL) do
    local value = ARGV[at + 5 + offset]
    if value ~= '' then redis.call('HSET', item, name, value) end
  end
  counts[state] = (counts[state] or 0) + 1
  if state == 'queued' then
    open = open + 1
    enqueue(id, j, seq, false)
  else
    redis.call('HSET', item, 'finished_ms', finished)
    redis.call('RPUSH', P .. 'settled:' .. job_id, index)
    if state == 'succeeded' then stored = stored + (tonumber(ARGV[at + 10]) or 0) end
    local reason = state == 'failed' and ARGV[at + 6] or ''
    if reason == 'poison' then redis.call('ZADD', P .. 'dead', finished, id) end
    redis.call('HINCRBY', P .. 'totals', 'items|' .. model .. '|' .. state .. '|' .. reason, 1)
  end
end
redis.call('HSET', j.key, 'queued', 0)
for state, count in pairs(counts) do redis.call('HSET', j.key, state, count) end
-- A job that was begun stays so; claims call only those running that they begin.
if open < total or ARGV[13] ~= '' then redis.call('HSET', j.key, 'state', 'running') end
count_open(j, open)
count_stored(j, stored)
touched[job_id] = true
if (counts['failed'] or 0) > 0 then note_unrecorded(j, now) end
end_job_if_done(j, finished)
if ARGV[15] == '1' then
  redis.call('ZREM', P .. 'unrecorded', job_id)
  ended = {}
end
announce()
return { 'restored', ended }
