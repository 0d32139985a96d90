-- Empties the trash as far as it is over its limits, which it notes; or as far as it is asked to.
-- ARGV  longest age (ms), most bytes, most letters to drop now, 1 to note the limits (a worker's
--       settings), else who empties it, and why
-- Answer  how many were dropped
local age, bytes, most, notes, who, why = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local wrong = expect_trash() or expect_audit()
if wrong then return wrong end
local known_age, known_bytes = trash_limits()
if notes == "1" and (age ~= known_age or bytes ~= known_bytes) then
  redis.call("HSET", TRASH_LIMITS, "age", age, "bytes", bytes)
end
local gone = shrink_trash(age, bytes, most)
if notes ~= "1" and gone > 0 then audit("empty", { who = who, why = why, count = gone }) end
return gone
