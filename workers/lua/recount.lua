-- Whether the bytes that are noted of a job that has ended are those of its objects; and put it right.
-- ARGV: job, bytes of its objects, 1 to put it right, else 0   Returns what was noted
local j = job(ARGV[1])
if not j.owner or redis.call('HEXISTS', j.key, 'finished_ms') == 0 then return tonumber(ARGV[2]) end
local noted = tonumber(redis.call('HGET', j.key, 'stored') or 0)
if ARGV[3] == '1' then count_stored(j, tonumber(ARGV[2]) - noted) end
return noted
