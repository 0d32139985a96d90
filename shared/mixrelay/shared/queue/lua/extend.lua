-- Prolongs the leases of batches that a worker still holds (docs/invariants.md, rule 2).
-- ARGV  lease ms, then a batch id and its claim for each
-- Answer  the ids that are no longer the worker's
local lease_ms = tonumber(ARGV[1])
local lost = {}
for i = 2, #ARGV, 2 do
  local id = ARGV[i]
  local state = owned(id, ARGV[i + 1])
  if state then
    redis.call("ZADD", key("leases"), later(lease_ms), id)
    -- Unless the pause is over, or another probes by now.
    local pause = state.probe and key("pause:" .. state.destination)
    if pause and redis.call("HGET", pause, "probe") == id then
      redis.call("HSET", pause, "probe_until", later(lease_ms))
    end
  else
    lost[#lost + 1] = id
  end
end
return lost
