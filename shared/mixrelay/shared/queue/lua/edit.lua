-- Replaces a letter's message; the one that was pushed is kept with it (docs/invariants.md, rule 1).
-- ARGV  op, number, the message that the editor saw, the new message, who, why,
--       the old message in base64, 1 where this puts the original back
-- Answer  "done", "gone" (no letter any more), "changed" (by someone else meanwhile)
local op, number, seen, new, who, why, old, restores = unpack(ARGV)
local EDITS_KEPT = 20
local before = answered(op)
if before then return before end
local found = redis.call("HGET", key("letters"), number)
if not found then return "gone" end
local letter, payload = parse_letter(found)
if payload ~= seen then return "changed" end
local wrong = expect_indexes({ letter }) or expect_audit()
if wrong then return wrong end

unindex_letter(letter)
local kind = kind_word(new)
letter.type, letter.lane = kind or "unknown", kind or "odd"
letter.original = restores == "0" and (letter.original or old) or nil
letter.fixed = nil
letter.edits = letter.edits or {}
table.insert(letter.edits, { at = NOW, who = who, why = why, restored = restores == "1" or nil })
if #letter.edits > EDITS_KEPT then table.remove(letter.edits, 1) end
redis.call("HSET", key("letters"), number, cjson.encode(letter) .. "\n" .. new)
index_letter(letter, letter.dead_since)
tally("edited", 1)
audit(restores == "1" and "restore" or "edit", { who = who, why = why, count = 1 }, { number })
answer(op, "done")
return "done"
