-- A batch of another partition asks Q's own slot to be the one that probes, before anything is
-- sent; or, as it extends its lease, to go on. Asked twice it answers the same.
-- ARGV  destination, batch id, lease ms, 1 if it only wants to go on
-- Answer  0 where it probes, else ms until someone may ask
local name, id, lease_ms, goes_on = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == "1"
local wrong = expect("hash", key("pause:" .. name))
if wrong then return wrong end
if redis.call("HGET", key("pause:" .. name), "probe") ~= id then
  local closed = closed_until(name) or STEADY
  -- Where the pause is gone it needs no probe, but has not passed the gate as it is now.
  if goes_on or closed > STEADY or redis.call("EXISTS", key("pause:" .. name)) == 0 then
    return math.max(closed - STEADY, 1)
  end
end
let_probe(name, id, lease_ms)
return 0
