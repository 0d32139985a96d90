-- Puts the records of a list message in its place, each a message of its own with
-- number n.k (queue.md rule 8). Numbers go on where an earlier call for the same list ended.
-- ARGV  batch id, claim, op, number of the list message, then the payloads: of a record
--       each, and last, if any are left over, of the list of those
-- Answer  "done", "already", "lost"
local id, claim, op, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local FIRST = 5
if answered(op) then return "already" end
local state = owned(id, claim)
if not state then return "lost" end
local wrong = expect_batch(id, state)
if wrong then return wrong end

local base, first = string.match(number, "^(%S+)%.(%d+)$")
base, first = base or number, tonumber(first or 1)
local past = redis.call("HGET", key("history"), number)
local members, grown = {}, 0
for _, member in ipairs(members_of(id)) do
  local found, received, replays = split_member(member)
  if found == number then
    if past then redis.call("HDEL", key("history"), number) end
    for i = FIRST, #ARGV do
      local child = string.format("%s.%d", base, first + i - FIRST)
      members[#members + 1] = string.format("%s %d %d ", child, received, replays) .. ARGV[i]
      if past then redis.call("HSET", key("history"), child, past) end
      grown = grown + 1
    end
  else
    members[#members + 1] = member
  end
end
if grown == 0 then return redis.error_reply("ERR message " .. number .. " is not in batch " .. id) end
replace_members(id, members)
tally("received", grown - 1)
answer(op, "done")
return "done"
