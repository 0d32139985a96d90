-- Moves letters back to the end of their lanes, each with its history (docs/invariants.md, rule 9).
-- A number that names no letter any more was moved by someone else: it counts as nothing.
-- ARGV  op, who, why, then numbers
-- Answer  how many were moved
local op, who, why = ARGV[1], ARGV[2], ARGV[3]
local before = answered(op)
if before then return tonumber(before) end
local letters, payloads = find_letters(4)
local wrong = expect_indexes(letters) or expect_audit()
if wrong then return wrong end

replay(letters, payloads)
if #letters > 0 then audit("replay", { who = who, why = why, count = #letters }, numbers_of(letters)) end
answer(op, #letters)
return #letters
