-- Whether the sums of open items and pixels, in all and by owner, and of stored bytes are those of the jobs; and the
-- counters since ever of the same moment.
-- ARGV: 1 to put the sums right, else 0
-- Returns {counters since ever, open items of all jobs, {{'open' | 'stored', name, noted, real}, ...}}
local real, stored = { items = 0, pixels = 0 }, {}
local owners = {}
for _, field in ipairs(redis.call('HKEYS', P .. 'open')) do
  local owner = string.match(field, '^items:(.*)$')
  if owner then owners[owner] = true end
end

for owner in pairs(owners) do
  local items, pixels, bytes = 0, 0, 0
  for _, job_id in ipairs(redis.call('ZRANGE', P .. 'jobs:' .. owner, 0, -1)) do
    local v = redis.call('HMGET', P .. 'job:' .. job_id, 'queued', 'running', 'pixels', 'stored')
    if v[1] then
      local open = tonumber(v[1]) + tonumber(v[2])
      items = items + open
      pixels = pixels + open * tonumber(v[3])
      bytes = bytes + tonumber(v[4] or 0)
    end
  end
  real['items:' .. owner], real['pixels:' .. owner] = items, pixels
  real.items, real.pixels = real.items + items, real.pixels + pixels
  stored[owner] = bytes
end

local wrong = {}
local function compare(sums, values)
  for name, value in pairs(values) do
    local noted = tonumber(redis.call('HGET', P .. sums, name) or 0)
    if noted ~= value then
      wrong[#wrong + 1] = { sums, name, noted, value }
      if ARGV[1] == '1' then redis.call('HSET', P .. sums, name, value) end
    end
  end
end
compare('open', real)
compare('stored', stored)

return { redis.call('HGETALL', P .. 'totals'), real.items, wrong }
