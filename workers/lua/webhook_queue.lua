-- Ended jobs that somebody is still to be told of; put in front of common.lua by workers/scripts.py.
--
--   webhooks           zset   owners by the time at which the first of their deliveries falls due (ms)
--   webhooks:<owner>   zset   the owner's jobs by the time at which the delivery falls due, or its lease runs out
-- A job's fields: webhook_state (pending, then delivered or failed), webhook_attempts, webhook_ms, webhook_error; and
-- endings, since a job that is opened again ends more than once, and each ending is a message of its own.
local WEBHOOKS = KEYS[1] .. 'webhooks'

local function list_webhook(owner, job_id, due)
  local own = WEBHOOKS .. ':' .. owner
  if due then redis.call('ZADD', own, due, job_id) else redis.call('ZREM', own, job_id) end
  local head = redis.call('ZRANGE', own, 0, 0, 'WITHSCORES')
  if head[1] then redis.call('ZADD', WEBHOOKS, head[2], owner) else redis.call('ZREM', WEBHOOKS, owner) end
end

-- The job has ended; whoever asked for it is to be told, unless that is known to have been done.
local function call_webhook(j, now)
  redis.call('HINCRBY', j.key, 'endings', 1)
  local spec = redis.call('HGET', j.key, 'spec')
  if not spec or type(cjson.decode(spec).webhook) ~= 'string' then return end
  redis.call('HSETNX', j.key, 'webhook_state', 'pending')
  if redis.call('HGET', j.key, 'webhook_state') == 'pending' then list_webhook(j.owner, j.id, now) end
end

-- The job is open again, and will end again.
local function recall_webhook(j)
  redis.call('HDEL', j.key, 'webhook_state', 'webhook_attempts', 'webhook_ms', 'webhook_error')
  list_webhook(j.owner, j.id, nil)
end
