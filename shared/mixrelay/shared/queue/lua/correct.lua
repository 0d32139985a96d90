-- Replaces the messages of letters by corrected ones and moves these to the end of their lanes, in
-- one step: a letter is corrected and on its way, or as it was (docs/internals.md, rules 1, 9).
-- The message that was pushed goes with its history and comes back where it dies again.
-- ARGV  op, who, why, what was done to them, the filter as JSON ("" where letters were named), then
--       for each letter: its number, its replays, SHA-1 of the message that was read, the new
--       message, the old one in base64
-- Answer  {moved, no letters any more, changed by someone else meanwhile}
local op, who, why, what, filter = unpack(ARGV, 1, 5)
local FIRST, EACH, EDITS_KEPT = 6, 5, 20
local before = answered(op)
if before then return cjson.decode(before) end

local letters, payloads, gone, changed, seen = {}, {}, 0, 0, {}
for i = FIRST, #ARGV, EACH do
  local number, replays, hash, new, old = unpack(ARGV, i, i + EACH - 1)
  local found = not seen[number] and redis.call("HGET", key("letters"), number)
  seen[number] = true
  local letter, payload
  if found then letter, payload = parse_letter(found) end
  if not letter then
    gone = gone + 1
  elseif letter.replays ~= tonumber(replays) or redis.sha1hex(payload) ~= hash then
    changed = changed + 1
  else
    letter.original = letter.original or old
    letter.edits = letter.edits or {}
    table.insert(letter.edits, { at = NOW, who = who, why = why == "" and what or why .. ": " .. what })
    if #letter.edits > EDITS_KEPT then table.remove(letter.edits, 1) end
    letters[#letters + 1], payloads[#payloads + 1] = letter, new
  end
end
local wrong = expect_indexes(letters) or expect_audit()
if wrong then return wrong end

replay(letters, payloads)
tally("edited", #letters)
if #letters > 0 then
  local told = why == "" and what or why .. ": " .. what
  audit("fix", { who = who, why = told, count = #letters, filter = filter }, numbers_of(letters))
end
local answered_with = { #letters, gone, changed }
answer(op, cjson.encode(answered_with))
return answered_with
