-- One page of letters by time of burial and number, from behind a place; several indexes are
-- read as one. A place stays good whatever is moved meanwhile.
-- ARGV  most letters, 1 for the newest first, since and until (ms, "" for none; burials at
--       `since` and later, before `until`), the place's time and number ("" for none),
--       1 to read each letter's message too (more than 1: so many bytes of it), bytes of letters
--       after which it ends, then indexes
-- Answer  {1 if more follow, numbers and times by turns, the letters (false for one that is gone)}
local most, newest = tonumber(ARGV[1]), ARGV[2] == "1"
local since, till, at, number, whole = ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local bytes_at_most = tonumber(ARGV[8])
local FIRST_INDEX = 9

-- Not by <, which follows the server's locale: as Redis orders the members of a zset.
local function is_behind(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- The rank of the first in an index that lies behind the place, or at it.
local function rank_behind(index, or_at)
  local low = redis.call("ZCOUNT", index, "-inf", "(" .. at)
  local high = redis.call("ZCOUNT", index, "-inf", at)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = redis.call("ZRANGE", index, middle, middle)[1]
    if is_behind(member, number) or (or_at and member == number) then high = middle else low = middle + 1 end
  end
  return low
end

local function bounds(index)
  local first = since ~= "" and redis.call("ZCOUNT", index, "-inf", "(" .. since) or 0
  local behind = till ~= "" and redis.call("ZCOUNT", index, "-inf", "(" .. till) or redis.call("ZCARD", index)
  if at ~= "" and newest then behind = math.min(behind, rank_behind(index, true)) end
  if at ~= "" and not newest then first = math.max(first, rank_behind(index, false)) end
  if newest then return math.max(first, behind - most - 1), behind - 1 end
  return first, math.min(behind, first + most + 1) - 1
end

local found = {}
for i = FIRST_INDEX, #ARGV do
  local index = key(ARGV[i])
  local first, last = bounds(index)
  local page = first <= last and redis.call("ZRANGE", index, first, last, "WITHSCORES") or {}
  for j = 1, #page, 2 do found[#found + 1] = { page[j], page[j + 1], tonumber(page[j + 1]) } end
end
table.sort(found, function(one, other)
  if one[3] ~= other[3] then return (one[3] < other[3]) ~= newest end
  return one[1] ~= other[1] and is_behind(other[1], one[1]) ~= newest
end)

-- Of a message nothing, all, or its first bytes.
local function shown(stored)
  if whole == 1 then return stored end
  local meta = string.match(stored, "^[^\n]*\n")
  return whole == 0 and meta or meta and string.sub(stored, 1, #meta + whole)
end

local places, letters, bytes = {}, {}, 0
for i = 1, math.min(#found, most) do
  if bytes > bytes_at_most then break end
  local stored = redis.call("HGET", key("letters"), found[i][1])
  places[#places + 1], places[#places + 2] = found[i][1], found[i][2]
  letters[i] = stored and (shown(stored) or stored)
  bytes = bytes + (stored and #stored or 0)
end
return { #letters < #found and 1 or 0, places, letters }
