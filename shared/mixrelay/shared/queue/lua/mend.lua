-- Puts letters that an older program buried into the indexes by group and by place, and takes out
-- of the former what it moved away; a slice each call, gone on with by whoever calls next. Letters
-- are served meanwhile from the other indexes.
-- ARGV  most letters to look at
-- Answer  how many were looked at; 0 where all is well
local most = tonumber(ARGV[1])
raise_schema()
local counts = redis.call("HGETALL", key("dead:counts"))
local differing = {}
for i = 1, #counts, 2 do
  if redis.call("ZCARD", key("dead:group:" .. counts[i])) ~= tonumber(counts[i + 1]) then
    differing[#differing + 1] = counts[i]
  end
end
table.sort(differing)

local stored = redis.call("GET", key("mending"))
if not stored and #differing == 0 then return 0 end
local state = stored and cjson.decode(stored) or { cursor = "0" }

local function add()
  local page = redis.call("HSCAN", key("letters"), state.cursor, "COUNT", most)
  for i = 2, #page[2], 2 do
    local letter = parse_letter(page[2][i])
    local at = redis.call("ZSCORE", key("dead"), letter.id)
    if at then
      redis.call("ZADD", key("dead:group:" .. group_of(letter)), at, letter.id)
      if ORDERED[letter.lane] then redis.call("ZADD", key("dead:order"), 0, in_order(letter)) end
    end
  end
  return page[1], #page[2] / 2
end

local function remove()
  local index = key("dead:group:" .. state.group)
  local page = redis.call("ZSCAN", index, state.cursor, "COUNT", most)
  for i = 1, #page[2], 2 do
    local letter = redis.call("HGET", key("letters"), page[2][i])
    if not letter or group_of(parse_letter(letter)) ~= state.group then
      redis.call("ZREM", index, page[2][i])
    end
  end
  return page[1], #page[2] / 2
end

-- Those with too many come after all that were too few.
local function next_group()
  for _, name in ipairs(differing) do
    if name > (state.group or "") then return name end
  end
end

local cursor, looked
if state.group then cursor, looked = remove() else cursor, looked = add() end
state.cursor = cursor
if cursor == "0" then state.group = next_group() end
if cursor == "0" and not state.group then
  redis.call("DEL", key("mending"))
else
  redis.call("SET", key("mending"), cjson.encode(state))
end
return looked
