-- Take back items whose lease ran out and expire waiting items whose deadline passed.
-- ARGV: most losses, most items.   Returns {lost items, expired items, ended jobs}
local now = now_ms()
local limit = tonumber(ARGV[2])
local lost = redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', now, 'LIMIT', 0, limit)
for _, id in ipairs(lost) do
  local worker = redis.call('HGET', P .. 'item:' .. id, 'worker')
  lose(id, job(job_of(id)), 'the lease of worker ' .. worker .. ' ran out', tonumber(ARGV[1]), now)
end
local expired = redis.call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', now, 'LIMIT', 0, limit)
for _, id in ipairs(expired) do
  local j = job(job_of(id))
  withdraw(id, j)
  settle(id, j, 'queued', 'expired', now)
end
announce()
return { lost, expired, ended }
