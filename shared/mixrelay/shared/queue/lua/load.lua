-- Appends tuples of a log and notes, in the same step, how far the log is in: so a push
-- that was interrupted, repeated or run twice at once puts nothing there twice.
-- Unlike the scripts that drain, it is refused when Redis is full.
-- ARGV  the log's name, the place noted before ("" for none), the place after, then tuples
-- Answer  the place noted now; where it is not the one expected, nothing was changed
local name, before, after = ARGV[1], ARGV[2], ARGV[3]
local wrong = expect("list", Q) or expect("hash", key("loads"))
if wrong then return wrong end

local noted = redis.call("HGET", key("loads"), name) or ""
if noted ~= before then return noted end
push("RPUSH", Q, { unpack(ARGV, 4) })
redis.call("HSET", key("loads"), name, after)
return after
