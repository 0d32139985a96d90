-- Moves letters back to the end of their lanes, each with its history (docs/internals.md, rule 9).
-- A number that names no letter any more was moved by someone else: it counts as nothing.
-- ARGV  op, then numbers
-- Answer  how many were moved
local op = ARGV[1]
local before = answered(op)
if before then return tonumber(before) end
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

local letters, payloads = {}, {}
for i = 2, #ARGV do
  local found = redis.call("HGET", key("letters"), ARGV[i])
  if found then
    local meta, payload = string.match(found, "^([^\n]*)\n(.*)$")
    letters[#letters + 1] = cjson.decode(meta)
    payloads[#letters] = payload
  end
end
local wrong = expect_indexes(letters)
if wrong then return wrong end

local moved = 0
for i, letter in ipairs(letters) do
  -- Asked for twice in one call, it goes once.
  if redis.call("HDEL", key("letters"), letter.id) == 1 then
    redis.call("RPUSH", key("lane:" .. letter.lane),
      string.format("%s %d %d ", letter.id, letter.first_seen, letter.replays + 1) .. payloads[i])
    redis.call("HSET", key("history"), letter.id, cjson.encode(past(letter)))
    unindex_letter(letter)
    moved = moved + 1
  end
end
tally("replayed", moved)
answer(op, moved)
return moved
