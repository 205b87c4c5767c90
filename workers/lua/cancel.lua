-- Cancel what can be canceled and say for each item what really happened to it, also when asked again.
-- ARGV: job, owner.   Returns {1, outcomes by index, ended jobs}, or {0} when the owner has no such job
local j = job(ARGV[1])
if j.owner ~= ARGV[2] then return { 0 } end
local now = now_ms()
local outcomes = {}
for index = 0, tonumber(redis.call('HGET', j.key, 'total')) - 1 do
  local id = j.id .. ':' .. index
  local v = redis.call('HMGET', P .. 'item:' .. id, 'state', 'stage', 'pending_alone', 'canceled_as')
  local outcome = v[4] or 'too_late'
  if v[1] == 'queued' then
    dequeue(id, j, bucket_of(j, v[3] == '1'))
    settle(id, j, 'queued', 'canceled', now)
    outcome = 'dequeued'
  elseif v[1] == 'running' then
    settle(id, j, 'running', 'canceled', now)
    outcome = v[2] == 'computing' and 'discarded' or 'removed_from_batch'
  end
  if outcome ~= 'too_late' then redis.call('HSET', P .. 'item:' .. id, 'canceled_as', outcome) end
  outcomes[#outcomes + 1] = outcome
end
announce()
return { 1, outcomes, ended }
