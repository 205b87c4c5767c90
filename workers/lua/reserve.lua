-- Keep an id that a client chose to one request while it stores its inputs. Every step may be repeated.
-- ARGV: job, holder, 'take' | 'keep' | 'drop', time (ms)   Returns 1 when the holder has (or had) it, else 0
local key = P .. 'reserved:' .. ARGV[1]
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[2] then return 0 end
if ARGV[3] == 'drop' then redis.call('DEL', key)
elseif holder or ARGV[3] == 'take' then redis.call('SET', key, ARGV[2], 'PX', ARGV[4])
else return 0 end
return 1
