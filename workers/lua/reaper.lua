-- Let one worker at a time be the reaper.
-- ARGV: worker, time (ms)   Returns 1 when the turn is this worker's, else 0
return redis.call('SET', P .. 'reaper', ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
