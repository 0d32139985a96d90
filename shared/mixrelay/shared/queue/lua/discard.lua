-- Deletes letters for good, counted by why (docs/internals.md, rules 1, 10).
-- ARGV  op, why ("operator", "expired"), then numbers
-- Answer  how many were discarded
local op, why = ARGV[1], ARGV[2]
local before = answered(op)
if before then return tonumber(before) end

local letters = {}
for i = 3, #ARGV do
  local found = redis.call("HGET", key("letters"), ARGV[i])
  letters[#letters + 1] = found and cjson.decode((string.match(found, "^([^\n]*)\n"))) or nil
end
local wrong = expect_indexes(letters)
if wrong then return wrong end

local discarded = 0
for _, letter in ipairs(letters) do
  -- Asked for twice in one call, it goes once.
  if redis.call("HDEL", key("letters"), letter.id) == 1 then
    unindex_letter(letter)
    discarded = discarded + 1
  end
end
tally("discarded", discarded)
tally("discarded:" .. why, discarded)
answer(op, discarded)
return discarded
