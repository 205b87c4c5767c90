-- The job's record is stored. It is the newest only if nothing was noted since it was read.
-- ARGV: job, mark when it was read, settled items in the journal of a bulk job or ''
-- Returns 1, or 0 when it has to be read and stored once more
local known = redis.call('HGET', P .. 'job:' .. ARGV[1], 'journaled')
if ARGV[3] ~= '' and tonumber(ARGV[3]) > tonumber(known or 0) and redis.call('EXISTS', P .. 'job:' .. ARGV[1]) == 1 then
  redis.call('HSET', P .. 'job:' .. ARGV[1], 'journaled', ARGV[3])
end
local mark = redis.call('HGET', P .. 'job:' .. ARGV[1], 'mark')
if mark and mark ~= ARGV[2] then return 0 end
redis.call('ZREM', P .. 'unrecorded', ARGV[1])
return 1
