-- Cancel what can be canceled of a range of items and say for each what really happened to it, also when asked again.
-- Items of a bulk job that have not come in yet are canceled as they do.
-- ARGV: job, owner, first index, most items
-- Returns {1, outcomes from the first index on, ended jobs}, or {0} when the owner has no such job
local j = job(ARGV[1])
if j.owner ~= ARGV[2] then return { 0 } end
local now = now_ms()
if redis.call('HEXISTS', j.key, 'filled') == 1 then redis.call('HSET', j.key, 'canceling', 1) end
local first = tonumber(ARGV[3])
local last = math.min(first + tonumber(ARGV[4]), tonumber(redis.call('HGET', j.key, 'total'))) - 1
local outcomes = {}
for index = first, last do
  local id = j.id .. ':' .. index
  local v = redis.call('HMGET', P .. 'item:' .. id, 'state', 'stage', 'canceled_as')
  local outcome = v[3] or (v[1] and 'too_late' or 'dequeued')
  if v[1] == 'queued' then
    withdraw(id, j)
    settle(id, j, 'queued', 'canceled', now)
    outcome = 'dequeued'
  elseif v[1] == 'running' then
    settle(id, j, 'running', 'canceled', now)
    outcome = v[2] == 'computing' and 'discarded' or 'removed_from_batch'
  end
  if v[1] and outcome ~= 'too_late' then redis.call('HSET', P .. 'item:' .. id, 'canceled_as', outcome) end
  outcomes[#outcomes + 1] = outcome
end
announce()
return { 1, outcomes, ended }
