-- Puts the records of a list message in its place, each a message of its own with
-- number n.k (queue.md rule 8). Numbers go on where an earlier call for the same list ended.
-- ARGV  batch id, claim, op, number of the list message, 1 if the last payload is the
--       list of what is left over, then the payloads
-- Answer  "done", "already", "lost"
local id, claim, op, number, has_rest = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == "1"
local FIRST = 6
if answered(op) then return "already" end
local state = owned(id, claim)
if not state then return "lost" end
local wrong = expect("list", key("batch:" .. id)) or expect("hash", key("totals"), key("history"))
if wrong then return wrong end

local base, first = string.match(number, "^(%S+)%.(%d+)$")
base, first = base or number, tonumber(first or 1)
local members, grown = {}, 0
for _, member in ipairs(members_of(id)) do
  local found, received, replays = split_member(member)
  if found == number then
    for i = FIRST, #ARGV do
      local head = string.format("%s.%d %d %d ", base, first + i - FIRST, received, replays)
      members[#members + 1] = head .. ARGV[i]
      grown = grown + 1
    end
    redis.call("HDEL", key("history"), number)
  else
    members[#members + 1] = member
  end
end
if grown == 0 then return redis.error_reply("ERR message " .. number .. " is not in batch " .. id) end
replace_members(id, members)
tally("received", grown - 1)
answer(op, "done")
return "done"
