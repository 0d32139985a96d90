-- Takes messages out of where they lie because an operator said so: to the dead letters (`drop`), or
-- for good (`drop --for-good`, `erase`), counted in the same step (docs/internals.md, rule 1).
-- Messages are named by their numbers, so what moved meanwhile is left and looked for again.
-- ARGV  op, place ("lane", "batch", "kept" (a copy of what was delivered), "letter" or "trash"), name of the
--       lane or the batch, first and count of the members of a lane to look at,
--       "dropped" or "erased" (why), 1 to keep them as dead letters, the error that these have,
--       for the audit: 1 to tell it now, who, why, filter, messages that it was not told of yet;
--       then for each message: its number, its records to go, all its records, and what is left
--       of it ("": nothing)
-- Answer  JSON {messages: gone as a whole, cut: lists that lost records, records: that are gone}
local op, place, name, first, count, reason, keeps = unpack(ARGV, 1, 7)
local said, tells, who, why, filter, untold = unpack(ARGV, 8, 13)
local FIRST, EACH = 14, 4
local before = answered(op)
if before then return before end

local wanted = {}
for i = FIRST, #ARGV, EACH do
  wanted[ARGV[i]] = { go = tonumber(ARGV[i + 1]), of = tonumber(ARGV[i + 2]), left = ARGV[i + 3] }
end
local state = place == "batch" and load(name) or nil
local letters = {}
for number in pairs(place == "letter" and wanted or {}) do
  local stored = redis.call("HGET", key("letters"), number)
  if stored then letters[#letters + 1] = parse_letter(stored) end
end
local wrong = expect_audit() or expect_indexes(letters) or expect_indexes({ { reason = reason, status = 0 } })
  or (state and expect_batch(name, state))
  or (place == "trash" and expect_trash())
  or (place == "kept" and (expect("list", key("batch:" .. name)) or expect("zset", KEPT) or expect("hash", KEPT_BATCHES, KEPT_BYTES)))
if wrong then return wrong end

local found = { messages = 0, cut = 0, records = 0 }
local function note_gone(one)
  found.records = found.records + one.go
  local which = one.left == "" and "messages" or "cut"
  found[which] = found[which] + 1
end

-- A list counts as one message until it is expanded, so each record that goes is received now.
local received, discarded = 0, 0
local function count_gone(one)
  note_gone(one)
  received = received + (one.left == "" and one.of - 1 or one.go)
  discarded = discarded + one.go
end

local function take_member(member, lane, one)
  if keeps == "1" then
    note_gone(one)
    bury(member, lane, { reason = reason, error = said, attempts = state and state.attempts or 0 })
  else
    local number, _, replays = head_of(member)
    if replays > 0 and one.left == "" then forget_history(number, "gone") end
    count_gone(one)
  end
end

local function replaced(member, left)
  local number, received, replays = head_of(member)
  return string.format("%s %d %d ", number, received, replays) .. left
end

-- The members that are named become marks, and the marks go in one pass.
local function from_lane()
  local lane = key("lane:" .. name)
  local mark, marks = "gone " .. op, 0
  for i, member in ipairs(redis.call("LRANGE", lane, first, first + count - 1)) do
    local one = wanted[head_of(member)]
    if one then
      take_member(member, name, one)
      local left = one.left ~= ""
      redis.call("LSET", lane, first + i - 1, left and replaced(member, one.left) or mark)
      if not left then marks = marks + 1 end
    end
  end
  if marks == 0 then return end
  local is_near_end = first * 2 > redis.call("LLEN", lane)
  redis.call("LREM", lane, is_near_end and -marks or marks, mark)
end

local function sifted(take)
  local left, changed = {}, false
  for _, member in ipairs(members_of(name)) do
    local one = wanted[head_of(member)]
    if one then
      changed = true
      take(member, one)
    end
    if not one or one.left ~= "" then left[#left + 1] = one and replaced(member, one.left) or member end
  end
  return left, changed
end

-- What a worker holds is its own.
local function from_batch()
  if not state or state.claim then return end
  local left, changed = sifted(function(member, one) take_member(member, state.lane, one) end)
  if not changed then return end
  if #left == 0 then return finish(name, state) end
  replace_members(name, left)
  state.bytes = nil
  save(name, state)
end

-- It was counted as delivered, and stays so.
local function from_copy()
  if not redis.call("ZSCORE", KEPT, name) then return end
  local left, changed = sifted(function(_, one) note_gone(one) end)
  if not changed then return end
  if #left == 0 then return drop_kept(name) end
  replace_members(name, left)
end

local function from_letters()
  for _, letter in ipairs(letters) do
    local one = wanted[letter.id]
    letter.original, letter.fixed = nil, nil
    if one.left == "" then
      take_out(letter)
    else
      redis.call("HSET", key("letters"), letter.id, cjson.encode(letter) .. "\n" .. one.left)
    end
    count_gone(one)
  end
end

-- They were counted as discarded when they came there.
local function from_trash()
  for number, one in pairs(wanted) do
    local at = redis.call("ZSCORE", TRASH_AT, number)
    local stored = take_from_trash(number)
    if stored then
      local letter = parse_letter(stored)
      letter.original, letter.fixed = nil, nil
      if one.left ~= "" then put_into_trash(number, cjson.encode(letter) .. "\n" .. one.left, at) end
      note_gone(one)
    end
  end
end

if place == "lane" then first, count = tonumber(first), tonumber(count) end
local how = { lane = from_lane, batch = from_batch, kept = from_copy, letter = from_letters, trash = from_trash }
if #ARGV >= FIRST then how[place]() end
tally("received", received)
tally("discarded", discarded)
tally("discarded:" .. reason, discarded)
if tells == "1" then
  audit(reason == "dropped" and "drop" or "erase", {
    who = who, why = why, filter = filter, count = tonumber(untold) + found.records,
    lane = place == "lane" and name or "",
  })
end
local text = cjson.encode(found)
answer(op, text)
return text
