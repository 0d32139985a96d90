-- Makes dead letters again of what lies in the trash, each counted once more as received.
-- ARGV  op, who, why, then numbers
-- Answer  how many were restored
local op, who, why = ARGV[1], ARGV[2], ARGV[3]
local before = answered(op)
if before then return tonumber(before) end
local letters, payloads = {}, {}
for i = 4, #ARGV do
  local stored = redis.call("HGET", TRASH, ARGV[i])
  if stored then letters[#letters + 1], payloads[#payloads + 1] = parse_letter(stored) end
end
local wrong = expect_indexes(letters) or expect_trash() or expect_audit()
if wrong then return wrong end

local restored = {}
for i, letter in ipairs(letters) do
  if take_from_trash(letter.id) then
    letter.discarded = nil
    redis.call("HSET", key("letters"), letter.id, cjson.encode(letter) .. "\n" .. payloads[i])
    index_letter(letter, letter.dead_since)
    restored[#restored + 1] = letter.id
  end
end
tally("received", #restored)
tally("restored", #restored)
if #restored > 0 then audit("restore", { who = who, why = why, count = #restored }, restored) end
answer(op, #restored)
return #restored
