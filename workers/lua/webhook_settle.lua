-- What became of an attempt to deliver; ignored where the job was opened again or another attempt was begun since.
-- ARGV: job, ending, attempt, 'pending' | 'delivered' | 'failed', error, time until the next attempt (ms)
-- Returns 1, or 0 when it was ignored
local j = job(ARGV[1])
local v = redis.call('HMGET', j.key, 'endings', 'webhook_attempts', 'webhook_state')
if v[1] ~= ARGV[2] or v[2] ~= ARGV[3] or v[3] ~= 'pending' then return 0 end
local now = now_ms()
redis.call('HSET', j.key, 'webhook_state', ARGV[4], 'webhook_error', ARGV[5])
if ARGV[4] == 'pending' then
  list_webhook(j.owner, j.id, now + tonumber(ARGV[6]))
else
  if ARGV[4] == 'delivered' then redis.call('HSET', j.key, 'webhook_ms', now) end
  list_webhook(j.owner, j.id, nil)
  note_unrecorded(j, now) -- or else everybody would be told again after Redis has lost everything
end
touched[j.id] = true
announce()
return 1
