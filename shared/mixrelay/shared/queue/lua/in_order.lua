-- Letters of ordered lanes in the order in which a replay sends them, from behind a place.
-- ARGV  most letters, the place ("" for the first), 1 to read each letter's message too, bytes of
--       letters after which it ends
-- Answer  {1 if more follow, places, the letters (false for one that is gone)}; {-1} while those of
--         an older program are still put into the index (mend.lua)
local most, after, whole, bytes_at_most = tonumber(ARGV[1]), ARGV[2], ARGV[3] == "1", tonumber(ARGV[4])

if schema < SCHEMA or redis.call("EXISTS", key("mending")) == 1 then return { -1 } end
local from = after == "" and "-" or "(" .. after
local found = redis.call("ZRANGE", key("dead:order"), from, "+", "BYLEX", "LIMIT", 0, most + 1)
local places, letters, bytes = {}, {}, 0
for i = 1, math.min(#found, most) do
  if bytes > bytes_at_most then break end
  local stored = redis.call("HGET", key("letters"), string.match(found[i], " (%S+)$"))
  bytes = bytes + (stored and #stored or 0)
  if stored and not whole then stored = string.match(stored, "^[^\n]*\n") end
  places[i], letters[i] = found[i], stored
end
return { #places < #found and 1 or 0, places, letters }
