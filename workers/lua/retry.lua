-- Put items that have ended back: dead letters, and succeeded ones whose picture is gone. Each waits with fresh losses,
-- behind the others and alone, since it may still kill its worker; its job is open again.
-- ARGV: per item: id, its picture ('' for a dead letter)
-- Returns per item 'retried' | 'unlike' (it is not, or not any more, as was said) | 'late' (its deadline is over)
local now = now_ms()

local function reopen(id, j, state, reason)
  local item = P .. 'item:' .. id
  if state == 'succeeded' then count_stored(j, -tonumber(redis.call('HGET', item, 'bytes') or 0)) end
  redis.call('HDEL', item, 'reason', 'detail', 'picture', 'digest', 'bytes', 'timings', 'finished_ms', 'stage', 'alone')
  redis.call('HSET', item, 'state', 'queued', 'losses', 0, 'pending_alone', '1')
  redis.call('ZREM', P .. 'dead', id)
  redis.call('ZREM', P .. 'failures', id)
  to_the_back(id)
  move_count(j, state, 'queued')
  count_open(j, 1)
  enqueue(id, j, redis.call('HGET', item, 'seq'), true)
  redis.call('HINCRBY', P .. 'totals', 'items|' .. j.model .. '|retried|' .. reason, 1)
end

local function reopen_job(j)
  if redis.call('HDEL', j.key, 'finished_ms') == 1 then
    redis.call('ZREM', P .. 'ended', j.id)
    redis.call('HINCRBY', P .. 'totals', 'jobs|' .. j.model .. '|retried|', 1)
  end
  redis.call('HSET', j.key, 'state', 'running')
  recall_webhook(j)
  note_unrecorded(j, now)
end

local answers = {}
for i = 1, #ARGV, 2 do
  local id, picture = ARGV[i], ARGV[i + 1]
  local v = redis.call('HMGET', P .. 'item:' .. id, 'state', 'picture')
  local is_dead = picture == '' and v[1] == 'failed' and redis.call('ZSCORE', P .. 'dead', id)
  local is_bare = picture ~= '' and v[1] == 'succeeded' and v[2] == picture
  local j = (is_dead or is_bare) and job(job_of(id))
  if not (j and j.owner) then answers[#answers + 1] = 'unlike'
  elseif j.deadline_ms and j.deadline_ms <= now then answers[#answers + 1] = 'late'
  else
    reopen(id, j, v[1], is_dead and 'poison' or 'picture-missing')
    reopen_job(j)
    answers[#answers + 1] = 'retried'
  end
end
announce()
return answers
