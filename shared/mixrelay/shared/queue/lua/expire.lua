-- Drops the letters over an operator's limits, those buried first, and notes the limits, so that
-- whoever looks can warn ahead (docs/invariants.md, rule 10). An entry of the audit tells what
-- ten minutes dropped.
-- ARGV  longest age (ms, 0 for none), most letters (0 for any number), most to drop now, 1 if this
--       partition is the queue; else, where there is one, the last letter here that is over the
--       most of all partitions: when it was buried (ms), and its number; where it is gone, or was
--       buried anew, that was not the last look at them
-- Answer  how many were dropped
local max_age, max_letters, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local is_all, buried_at, up_to = ARGV[4] == "1", tonumber(ARGV[5]), ARGV[6]
local AUDIT_EVERY_MS = 600000
local noted = key("retention")
local wrong = expect("hash", noted) or expect_audit()
if wrong then return wrong end

local over = 0
if not is_all then
  local is_there = up_to and tonumber(redis.call("ZSCORE", key("dead"), up_to) or "") == buried_at
  over = is_there and redis.call("ZRANK", key("dead"), up_to) + 1 or 0
elseif max_letters > 0 then
  over = math.max(0, redis.call("ZCARD", key("dead")) - max_letters)
end
local old = max_age > 0 and redis.call("ZCOUNT", key("dead"), "-inf", "(" .. string.format("%d", NOW - max_age)) or 0
local count, letters = math.min(math.max(over, old), most), {}
for _, number in ipairs(count > 0 and redis.call("ZRANGE", key("dead"), 0, count - 1) or {}) do
  local found = redis.call("HGET", key("letters"), number)
  if found then letters[#letters + 1] = parse_letter(found) end
end
wrong = expect_indexes(letters)
if wrong then return wrong end

discard(letters, "expired")
-- Workers ask every few seconds for as long as they live: what is as it was is not written again.
local known = redis.call("HMGET", noted, "max_age", "max_letters")
if tonumber(known[1] or "") ~= max_age or tonumber(known[2] or "") ~= max_letters then
  redis.call("HSET", noted, "max_age", max_age, "max_letters", max_letters, "at", NOW)
end
local untold = tonumber(redis.call("HGET", noted, "untold") or 0)
if #letters > 0 then untold = redis.call("HINCRBY", noted, "untold", #letters) end
if untold > 0 and math.abs(NOW - tonumber(redis.call("HGET", noted, "told_at") or 0)) >= AUDIT_EVERY_MS then
  audit("expire", { who = "retention", why = "over the limits set", count = untold })
  redis.call("HSET", noted, "untold", 0, "told_at", NOW)
end
return #letters
