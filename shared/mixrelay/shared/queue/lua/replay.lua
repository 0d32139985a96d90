-- Moves letters back to the end of their lanes, each with its history (queue.md rule 9).
-- A number that names no letter any more was moved by someone else: it counts as nothing.
-- ARGV  op, then numbers
-- Answer  how many were moved
local op = ARGV[1]
local before = answered(op)
if before then return tonumber(before) end
local wrong = expect("hash", key("letters"), key("history"), key("totals"), key("dead:counts"))
  or expect("zset", key("dead")) or expect("list", key("lane:event"), key("lane:import"),
    key("lane:profile_update"), key("lane:group_update"), key("lane:odd"))
if wrong then return wrong end

local DEATHS_KEPT = 20
local function past(letter)
  local deaths = letter.deaths or {}
  deaths[#deaths + 1] = {
    reason = letter.reason, status = letter.status, error = letter.error, at = letter.dead_since,
    replayed_at = NOW,
  }
  -- The first death stays; of the rest the newest are kept.
  if #deaths > DEATHS_KEPT then table.remove(deaths, 2) end
  return { attempts = letter.attempts, deaths = deaths }
end

local moved = 0
for i = 2, #ARGV do
  local found = redis.call("HGET", key("letters"), ARGV[i])
  if found then
    local meta, payload = string.match(found, "^([^\n]*)\n(.*)$")
    local letter = cjson.decode(meta)
    redis.call("RPUSH", key("lane:" .. letter.lane),
      string.format("%s %d %d ", letter.id, letter.first_seen, letter.replays + 1) .. payload)
    redis.call("HSET", key("history"), letter.id, cjson.encode(past(letter)))
    redis.call("HDEL", key("letters"), letter.id)
    unindex_letter(letter)
    moved = moved + 1
  end
end
tally("replayed", moved)
answer(op, moved)
return moved
