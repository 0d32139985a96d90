-- Appends tuples of a log and notes, in the same step, how far the log is in: so a push
-- that was interrupted, repeated or run twice at once puts nothing there twice.
-- Or appends tuples of no log. Either only where the queue is not too long.
-- Unlike the scripts that drain, it is refused when Redis is full.
-- ARGV  the log's name ("" for none), the place noted before ("" for none), the place after,
--       how many messages may wait in the list and the lanes ("" for any number), then tuples
-- Answer  the place noted now; where it is not the one expected, nothing was changed
local name, before, after, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local FIRST = 5
local count = #ARGV - FIRST + 1
local wrong = expect("list", Q) or expect("hash", key("loads"), key("loads:at"))
if wrong then return wrong end

local noted = name ~= "" and redis.call("HGET", key("loads"), name) or ""
if noted ~= before then return noted end
if most then
  local waiting = redis.call("LLEN", Q)
  for _, lane in ipairs(LANES) do waiting = waiting + redis.call("LLEN", key("lane:" .. lane)) end
  if waiting + count > most then
    return redis.error_reply("QUEUEFULL " .. waiting .. " messages wait")
  end
end
push("RPUSH", Q, ARGV, FIRST)
if name ~= "" then
  redis.call("HSET", key("loads"), name, after)
  redis.call("HSET", key("loads:at"), name, NOW)
end
return after
