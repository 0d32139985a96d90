-- Puts the records of list messages in their places, each a message of its own with
-- number n.k (docs/invariants.md, rule 8). Of a long list it is shorter lists first: each has the
-- number of its first record, and its records' numbers go on from there.
-- A record n.k of which an operator made a list has neighbours: its records are n.k.1 and so on.
-- ARGV  batch id, claim, op, then for each list: its number, how many payloads follow, how many
--       records each of them holds, joined by commas ("": one each), and those
-- Answer  "done", "already", "lost"
local id, claim, op = ARGV[1], ARGV[2], ARGV[3]
local FIRST = 4
if answered(op) then return "already" end
local state = owned(id, claim)
if not state then return "lost" end
local wrong = expect_batch(id, state)
if wrong then return wrong end

local places, i = {}, FIRST
while i < #ARGV do
  local count, records = tonumber(ARGV[i + 1]), {}
  for number in string.gmatch(ARGV[i + 2], "%d+") do records[#records + 1] = tonumber(number) end
  places[ARGV[i]] = { first = i + 3, last = i + 2 + count, records = records }
  i = i + 3 + count
end

-- The numbers behind a shorter list are its own; a record that was edited since may have neighbours.
local function is_made_of_record(past)
  local edit = past and past.edits and past.edits[#past.edits]
  return edit and edit.at ~= past.expanded
end

local function take_history(number, replays)
  local stored = replays > 0 and redis.call("HGET", key("history"), number)
  if not stored then return end
  redis.call("HDEL", key("history"), number)
  return cjson.decode(stored)
end

local function children(number, place, received, replays, into)
  local past = take_history(number, replays)
  local base, first = string.match(number, "^(%S+)%.(%d+)$")
  if not base or is_made_of_record(past) then base, first = number, 1 end
  if past and past.edits then past.expanded = past.edits[#past.edits].at end
  local text = past and cjson.encode(past)
  local number_of_next = tonumber(first)
  outcome(past and past.requeued_by, "split", place.last - place.first)
  for argument = place.first, place.last do
    local child = string.format("%s.%d", base, number_of_next)
    number_of_next = number_of_next + (place.records[argument - place.first + 1] or 1)
    into[#into + 1] = string.format("%s %d %d ", child, received, replays) .. ARGV[argument]
    if text then redis.call("HSET", key("history"), child, text) end
  end
end

local before, after = members_of(id), {}
for _, member in ipairs(before) do
  local number, received, replays = head_of(member)
  local place = places[number]
  if place then
    children(number, place, received, replays, after)
    places[number] = nil
  else
    after[#after + 1] = member
  end
end
local missing = next(places)
if missing then
  return redis.error_reply("ERR message " .. missing .. " is not in batch " .. id)
end
replace_members(id, after)
tally("received", #after - #before)
answer(op, "done")
return "done"
