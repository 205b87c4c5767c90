-- Hand out deliveries that are due, each under a lease, after which another takes it. Owners take turns, so that one
-- whose receivers hang does not keep the others from being told.
-- ARGV: lease (ms), most deliveries, most of one owner, then owners and how many of theirs the caller has in hand
-- Returns {{job, owner, ending, attempt}, ...}
local now = now_ms()
local most, most_of_one = tonumber(ARGV[2]), tonumber(ARGV[3])
local in_hand = {}
for i = 4, #ARGV, 2 do in_hand[ARGV[i]] = tonumber(ARGV[i + 1]) end
local taken = {}

local function take_one(owner)
  local id = redis.call('ZRANGEBYSCORE', WEBHOOKS .. ':' .. owner, '-inf', now, 'LIMIT', 0, 1)[1]
  if not id then return false end
  local j = job(id)
  if not j.owner then -- nobody is left to be told of
    list_webhook(owner, id, nil)
    return true
  end
  list_webhook(owner, id, now + tonumber(ARGV[1]))
  local attempt = redis.call('HINCRBY', j.key, 'webhook_attempts', 1)
  touched[id] = true
  taken[#taken + 1] = { id, owner, tonumber(redis.call('HGET', j.key, 'endings')), attempt }
  return true
end

local owners = redis.call('ZRANGEBYSCORE', WEBHOOKS, '-inf', now)
local found = true
while found and #taken < most do
  found = false
  for _, owner in ipairs(owners) do
    local held = in_hand[owner] or 0
    if #taken < most and held < most_of_one and take_one(owner) then
      in_hand[owner] = held + 1
      found = true
    end
  end
end
announce()
return taken
