-- Whether a job agrees with its items, and every open item with where it should be listed; and put it right. A range of
-- items at a time: the numbers of items by state are compared with the last range, and only where the job has not
-- changed since the first.
-- ARGV: job, 1 to put right what can be, else 0, first index, most items, and of the ranges before: the job's number of
--       changes, items by state
-- Returns {{{what is wrong, where, put right (1|0)}, ...}, next index or -1, changes, items by state}
local j = job(ARGV[1])
if not j.owner then return { {}, -1, 0, {} } end
local mend = ARGV[2] == '1'
local now = now_ms()
local wrong = {}
local function note(what, where, mended)
  wrong[#wrong + 1] = { what, where, mended and 1 or 0 }
end

local total = tonumber(redis.call('HGET', j.key, 'total'))
local filled = tonumber(redis.call('HGET', j.key, 'filled') or total)
local first = tonumber(ARGV[3])
local stop = math.min(first + tonumber(ARGV[4]), filled)
local changes = redis.call('HGET', j.key, 'changes')
local STATES = { 'queued', 'running', 'succeeded', 'failed', 'canceled', 'expired' }
local real = {}
for at, state in ipairs(STATES) do real[state] = tonumber(ARGV[5 + at] or 0) end

local unleased = {}
for index = first, stop - 1 do
  local id = j.id .. ':' .. index
  local item = P .. 'item:' .. id
  local v = redis.call('HMGET', item, 'state', 'pending_alone', 'seq', 'identity')
  local state = v[1]
  if not state then
    note('item-missing', id, false)
  else
    real[state] = real[state] + 1
    local alone = v[2] == '1'
    local pending = P .. 'pending:' .. j.rank .. ':' .. j.owner .. ':' .. bucket_of(j, alone)
    if state == 'queued' and not redis.call('ZSCORE', pending, id) and not is_parked(id, v[4]) then
      note('queued-item-not-listed', id, mend)
      if mend then
        if v[4] then redis.call('ZREM', P .. 'parked:' .. v[4], id) end
        enqueue(id, j, v[3], alone)
      end
    elseif state == 'running' and not redis.call('ZSCORE', P .. 'leases', id) then
      note('running-item-without-lease', id, mend)
      unleased[#unleased + 1] = id
    end
  end
end

if stop < filled or (ARGV[5] and ARGV[5] ~= changes) then
  local sums = {}
  for at, state in ipairs(STATES) do sums[at] = real[state] end
  if mend then
    for _, id in ipairs(unleased) do requeue(id, j, true) end
  end
  announce()
  return { wrong, stop < filled and stop or -1, ARGV[5] or changes, sums }
end
real.queued = real.queued + total - filled

local missing = total
local right = true
for _, state in ipairs(STATES) do
  missing = missing - real[state]
  right = right and real[state] == tonumber(redis.call('HGET', j.key, state))
end
if not right and missing == 0 then
  note('counts-wrong', j.id, mend)
  if mend then
    for _, state in ipairs(STATES) do redis.call('HSET', j.key, state, real[state]) end
    touched[j.id] = true
  end
end

if mend then
  for _, id in ipairs(unleased) do requeue(id, j, true) end
end

local finished = redis.call('HGET', j.key, 'finished_ms')
local open = real.queued + real.running > 0
if missing == 0 and open and finished then
  note('open-job-called-ended', j.id, mend)
  if mend then
    redis.call('HDEL', j.key, 'finished_ms')
    redis.call('HSET', j.key, 'state', 'running')
    redis.call('ZREM', P .. 'ended', j.id)
    recall_webhook(j)
    note_unrecorded(j, now)
  end
elseif missing == 0 and not open and not finished then
  note('ended-job-called-open', j.id, mend)
  if mend then end_job_if_done(j, now) end
elseif finished and not redis.call('ZSCORE', P .. 'ended', j.id) then
  note('ended-job-not-listed', j.id, mend)
  if mend then redis.call('ZADD', P .. 'ended', finished, j.id) end
end
announce()
return { wrong, -1, changes, {} }
