-- Puts exported letters back as letters under new numbers, and notes in the same step how far
-- their file is in, so that nothing comes twice. Each counts one in `received`.
-- ARGV  the file's name, the place noted before, the place after, partition, who, why, then for
--       each letter: its facts as JSON, its message
-- Answer  the place noted now; where it is not the one expected, nothing was changed
local name, before, after, partition, who, why = unpack(ARGV, 1, 6)
local FIRST = 7
local FILE_KEPT_MS = 7 * 86400000
local foreign = expect("hash", key("loads"), key("loads:at")) or expect_audit()
if foreign then return foreign end
local noted = redis.call("HGET", key("loads"), name) or ""
if noted ~= before then return noted end

local letters = {}
for i = FIRST, #ARGV, 2 do
  local letter = cjson.decode(ARGV[i])
  local kind = kind_word(ARGV[i + 1])
  letter.type, letter.lane, letter.dead_since = kind or "unknown", kind or "odd", NOW
  letters[#letters + 1] = letter
end
raise_schema()
local importing = key("importing:" .. name)
local wrong = expect_indexes(letters) or expect("string", importing)
if wrong then return wrong end

for i, letter in ipairs(letters) do
  letter.id = partition .. "-" .. string.format("%d", redis.call("INCR", key("number")))
  -- All of a file stand together, in the order of the numbers that it tells (place_of).
  redis.call("SET", importing, letter.id, "PX", FILE_KEPT_MS, "NX")
  if letter.imported then letter.imported.file = redis.call("GET", importing) end
  redis.call("HSET", key("letters"), letter.id, cjson.encode(letter) .. "\n" .. ARGV[FIRST + 2 * i - 1])
  index_letter(letter, NOW)
end
redis.call("HSET", key("loads"), name, after)
redis.call("HSET", key("loads:at"), name, NOW)
tally("received", #letters)
tally("imported", #letters)
if #letters > 0 then
  local numbers = { letters[1].id }
  if #letters > 1 then numbers[2] = letters[#letters].id end
  audit("import", { who = who, why = why, count = #letters }, numbers)
end
return after
