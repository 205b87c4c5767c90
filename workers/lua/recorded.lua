-- The job's record is stored. It is the newest only if nothing was noted since it was read.
-- ARGV: job, mark when it was read   Returns 1, or 0 when it has to be read and stored once more
local mark = redis.call('HGET', P .. 'job:' .. ARGV[1], 'mark')
if mark and mark ~= ARGV[2] then return 0 end
redis.call('ZREM', P .. 'unrecorded', ARGV[1])
return 1
