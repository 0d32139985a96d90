-- Holds a lane for an operator, or ends that (docs/invariants.md, rule 4): reserve looks there
-- first, and nothing but this script ends a hold.
-- ARGV  op, "pause" or "resume", lane, who, why
-- Answer  1, or 0 where the lane was so already: nothing was changed
local op, what, lane, who, why = unpack(ARGV)
local before = answered(op)
if before then return tonumber(before) end
local wrong = expect_audit()
if wrong then return wrong end

local held = key("held")
local is_held = redis.call("HGET", held, lane) ~= false
local changed = is_held == (what == "resume") and 1 or 0
if changed == 1 then
  if is_held then
    redis.call("HDEL", held, lane)
  else
    redis.call("HSET", held, lane, cjson.encode({ who = who, why = why, since = NOW }))
  end
  audit(what, { who = who, why = why, lane = lane })
end
answer(op, changed)
return changed
