-- Accept a job whole or not at all. Admission and enqueue are one step, so that the caps hold under concurrency.
-- Of a bulk job the items come later, by fill.lua; they are admitted here.
-- ARGV: job, owner, model, bucket, rank, pixels, deadline (ms from now or ''), format, quality, spec, digest,
--       caps (items, pixels, owner items, owner pixels), the owner's quota (bytes or ''), bytes of the inputs,
--       number of items, then, unless it is a bulk job, per item: label map key, instance map key, seed, file,
--       identity ('' if it is not to be coalesced)
-- Returns {'accepted'} | {'exists', digest} | {'gone'} | {'full', scope, unit, cap, retry after (s)}
--       | {'over quota', bytes that the owner has stored}
local job_id, owner, model, bucket, rank = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local pixels = tonumber(ARGV[6])
local FIRST, FIELDS = 19, 5
local BYTES_PER_ITEM = 4096
local total = tonumber(ARGV[18])
local is_bulk = #ARGV < FIRST
local now = now_ms()

local known = redis.call('HMGET', P .. 'job:' .. job_id, 'owner', 'digest')
if known[1] then return { 'exists', known[2] } end
if redis.call('EXISTS', P .. 'gone:' .. job_id) == 1 then return { 'gone' } end

local function seconds_until(excess_pixels)
  local rate = 0
  for _, name in ipairs(redis.call('SMEMBERS', P .. 'models')) do rate = rate + drain_rate(name, now) end
  if rate == 0 then return 30 end
  return math.max(1, math.min(3600, math.ceil(excess_pixels / rate)))
end

-- Open items that Redis has memory for: what is taken in has to be finished too, and finishing an item takes as much.
local function items_with_room()
  local memory = redis.pcall('INFO', 'memory')
  local most = type(memory) == 'string' and tonumber(string.match(memory, '\nmaxmemory:(%d+)')) or 0
  if most == 0 then return math.huge end -- no limit, or none that we may know of
  return math.max(0, math.floor((most - tonumber(string.match(memory, '\nused_memory:(%d+)'))) / BYTES_PER_ITEM))
end

local open = redis.call('HMGET', P .. 'open', 'items', 'pixels', 'items:' .. owner, 'pixels:' .. owner)
local caps = {
  { 'service', 'items', math.min(tonumber(ARGV[12]), items_with_room()), tonumber(open[1] or 0) + total, pixels },
  { 'service', 'pixels', tonumber(ARGV[13]), tonumber(open[2] or 0) + total * pixels, 1 },
  { 'owner', 'items', tonumber(ARGV[14]), tonumber(open[3] or 0) + total, pixels },
  { 'owner', 'pixels', tonumber(ARGV[15]), tonumber(open[4] or 0) + total * pixels, 1 },
}
for _, cap in ipairs(caps) do
  local excess = cap[4] - cap[3]
  if excess > 0 then return { 'full', cap[1], cap[2], cap[3], seconds_until(excess * cap[5]) } end
end

local stored = tonumber(redis.call('HGET', P .. 'stored', owner) or 0)
if ARGV[16] ~= '' and stored + tonumber(ARGV[17]) > tonumber(ARGV[16]) then return { 'over quota', stored } end

create_job(job_id, { owner = owner, model = model, bucket = bucket, rank = rank, pixels = pixels, format = ARGV[8],
  quality = ARGV[9], spec = ARGV[10], digest = ARGV[11],
  deadline_ms = ARGV[7] ~= '' and now + tonumber(ARGV[7]) or '' }, total, is_bulk, now)
local j = job(job_id)
for index = 0, is_bulk and -1 or total - 1 do
  local at = FIRST + index * FIELDS
  local id = job_id .. ':' .. index
  enqueue(id, j, create_item(id, ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]), false)
  if ARGV[at + 4] ~= '' then redis.call('HSET', P .. 'item:' .. id, 'identity', ARGV[at + 4]) end
end
count_open(j, total)
count_stored(j, ARGV[17])
return { 'accepted' }
