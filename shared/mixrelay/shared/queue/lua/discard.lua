-- Discards letters, counted (docs/invariants.md, rules 1, 10); the trash keeps them for a time.
-- ARGV  op, who, why, then numbers
-- Answer  how many were discarded
local op, who, why = ARGV[1], ARGV[2], ARGV[3]
local before = answered(op)
if before then return tonumber(before) end
local letters, payloads = find_letters(4)
local wrong = expect_indexes(letters) or expect_trash() or expect_audit()
if wrong then return wrong end

discard(letters, "operator", payloads, { who = who, why = why })
if #letters > 0 then audit("discard", { who = who, why = why, count = #letters }, numbers_of(letters)) end
answer(op, #letters)
return #letters
