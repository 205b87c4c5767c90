-- Take a job back that the object store knows and Redis does not, whole or not at all; without regard to the caps,
-- since it was accepted already. Items that have not ended wait again, with fresh losses. Those of a bulk job come
-- later, by fill.lua; here it has none.
-- ARGV: job, owner, model, bucket, rank, pixels, deadline (ms, absolute, or ''), format, quality, spec, digest,
--       created (ms), started (ms or ''), finished (ms or ''), 1 if its final record is stored else 0,
--       newest fence of its pictures, bytes of its inputs, how often it had ended before, what became of its webhook
--       (state, attempts, time (ms or ''), error; the state '' if that is not known), number of items, then the items as
--       restore_item says
-- Returns {'restored', ended jobs} | {'exists'} | {'gone'} | {'reserved'}
local job_id, model = ARGV[1], ARGV[3]
local FIRST = 24
local total = tonumber(ARGV[23])
local is_bulk = #ARGV < FIRST
local now = now_ms()
local created = tonumber(ARGV[12])
local finished = tonumber(ARGV[14]) or now

if redis.call('EXISTS', P .. 'job:' .. job_id) == 1 then return { 'exists' } end
if redis.call('EXISTS', P .. 'gone:' .. job_id) == 1 then return { 'gone' } end
if redis.call('EXISTS', P .. 'reserved:' .. job_id) == 1 then return { 'reserved' } end

raise_fence(tonumber(ARGV[16]))

create_job(job_id, { owner = ARGV[2], model = model, bucket = ARGV[4], rank = ARGV[5], pixels = ARGV[6],
  format = ARGV[8], quality = ARGV[9], spec = ARGV[10], digest = ARGV[11], deadline_ms = ARGV[7] },
  total, is_bulk, created)
local j = job(job_id)
-- Above every number of changes that a client may remember.
redis.call('HSET', j.key, 'changes', now)
-- A job that was begun stays so; claims call only those running that they begin.
if ARGV[13] ~= '' then redis.call('HSET', j.key, 'started_ms', ARGV[13], 'state', 'running') end
redis.call('HSET', j.key, 'endings', ARGV[18])
if ARGV[19] ~= '' then
  redis.call('HSET', j.key, 'webhook_state', ARGV[19], 'webhook_attempts', ARGV[20], 'webhook_error', ARGV[22])
  if ARGV[21] ~= '' then redis.call('HSET', j.key, 'webhook_ms', ARGV[21]) end
end

touched[job_id] = true
if is_bulk then
  redis.call('HSET', j.key, 'restored', 1)
  count_open(j, total)
  count_stored(j, tonumber(ARGV[17]))
  announce()
  return { 'restored', {} }
end

local counts, stored = {}, tonumber(ARGV[17])
for index = 0, total - 1 do
  local state = restore_item(job_id .. ':' .. index, j, FIRST + index * RESTORED_FIELDS, finished)
  counts[state] = (counts[state] or 0) + 1
  if state == 'succeeded' then stored = stored + (tonumber(ARGV[FIRST + index * RESTORED_FIELDS + 10]) or 0) end
end
redis.call('HSET', j.key, 'queued', 0)
for state, count in pairs(counts) do redis.call('HSET', j.key, state, count) end
local open = counts['queued'] or 0
if open < total then redis.call('HSET', j.key, 'state', 'running') end
count_open(j, open)
count_stored(j, stored)
if (counts['failed'] or 0) > 0 then note_unrecorded(j, now) end
end_job_if_done(j, finished)
if ARGV[15] == '1' then
  redis.call('ZREM', P .. 'unrecorded', job_id)
  ended = {}
end
announce()
return { 'restored', ended }
