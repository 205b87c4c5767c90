-- Let a request of a key through, or not: the generic cell rate algorithm. One number is kept of each key, the time at
-- which it would again have all its requests.
-- ARGV: key, requests, in seconds
-- Returns {1 (let through) | 0, requests left, time until the next is let through (us), time until all are (us)}
local key = P .. 'rate:' .. ARGV[1]
local window = tonumber(ARGV[3]) * 1000000
local interval = window / tonumber(ARGV[2])
local now = now_us()

local full = math.max(tonumber(redis.call('GET', key) or 0), now)
local allowed = full + interval - window <= now
if allowed then
  full = full + interval
  -- Written out: as a number it would lose its last digits.
  redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
end
local left = math.floor((now + window - full) / interval + 1e-6)
local wait = left > 0 and 0 or math.max(0, math.ceil(full + interval - window - now))
return { allowed and 1 or 0, math.max(0, left), wait, math.ceil(full - now) }
