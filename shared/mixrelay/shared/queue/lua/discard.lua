-- Deletes letters for good, counted by why (queue.md rules 1, 10).
-- ARGV  op, why ("operator", "expired"), then numbers
-- Answer  how many were discarded
local op, why = ARGV[1], ARGV[2]
local before = answered(op)
if before then return tonumber(before) end
local wrong = expect("hash", key("letters"), key("totals"), key("dead:counts"))
  or expect("zset", key("dead"))
if wrong then return wrong end

local discarded = 0
for i = 3, #ARGV do
  local found = redis.call("HGET", key("letters"), ARGV[i])
  if found then
    redis.call("HDEL", key("letters"), ARGV[i])
    unindex_letter(cjson.decode((string.match(found, "^([^\n]*)\n"))))
    discarded = discarded + 1
  end
end
tally("discarded", discarded)
tally("discarded:" .. why, discarded)
answer(op, discarded)
return discarded
