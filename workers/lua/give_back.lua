-- End attempts without a result.
-- ARGV: how, reason, detail, most losses, then per item: id, fence
--   release: back to the queue without blame (shutdown, storage away, batch too large)
--   postpone: without blame too, but alone and behind the others (its input cannot be had just now)
--   lose:    the attempt was lost, as when a lease runs out
--   fail:    for good, with the reason
-- Returns ended jobs
local how, reason, detail, max_losses = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local now = now_ms()
for i = 5, #ARGV, 2 do
  local id = ARGV[i]
  if holds(id, ARGV[i + 1]) then
    local j = job(job_of(id))
    if how == 'release' then
      requeue(id, j, redis.call('HGET', P .. 'item:' .. id, 'pending_alone') == '1') -- who was suspect stays so
    elseif how == 'postpone' then
      to_the_back(id)
      requeue(id, j, true)
    elseif how == 'lose' then lose(id, j, detail, max_losses, now)
    else fail(id, j, reason, detail, now) end
  end
end
announce()
return ended
