-- What is noted once for each destination or file, and would be kept for ever: whoever ends leases
-- looks at some of it, goes on there the next time, and drops what is old.
--   ROOT:loads:at       hash    a log's name -> when its place was noted last (ms)
--   ROOT:accepted:scan, ROOT:loads:scan  string  where to go on
local LOOKED_THROUGH = 100      -- entries of one call, about; below so many nothing is dropped
local DAY_MS = 86400000
local ACCEPTED_KEPT, ACCEPTED_KEPT_MS, ACCEPTED_CROWDED_MS = 10000, DAY_MS, 600000
local LOADS_KEPT, LOADS_KEPT_MS, LOADS_CROWDED_MS = 10000, 90 * DAY_MS, DAY_MS

-- Calls `is_old` with each field and value of a part of a hash, and drops those of which it is true.
local function look_through(name, is_old)
  local at = key(name .. ":scan")
  local found = redis.call("HSCAN", key(name), redis.call("GET", at) or "0", "COUNT", LOOKED_THROUGH)
  redis.call("SET", at, found[1])
  for i = 1, #found[2], 2 do
    if is_old(found[2][i], found[2][i + 1]) then redis.call("HDEL", key(name), found[2][i]) end
  end
end

local function forget_accepted()
  local count = redis.call("HLEN", key("accepted"))
  if count <= LOOKED_THROUGH then return end
  local age = count > ACCEPTED_KEPT and ACCEPTED_CROWDED_MS or ACCEPTED_KEPT_MS
  look_through("accepted", function(_, at) return NOW - tonumber(at) > age end)
end

-- An older program notes no time: then it is now.
local function forget_loads()
  local count = redis.call("HLEN", key("loads"))
  if count <= LOOKED_THROUGH then return end
  local age = count > LOADS_KEPT and LOADS_CROWDED_MS or LOADS_KEPT_MS
  look_through("loads", function(name)
    local at = redis.call("HGET", key("loads:at"), name)
    if not at then
      redis.call("HSET", key("loads:at"), name, NOW)
    elseif NOW - tonumber(at) > age then
      redis.call("HDEL", key("loads:at"), name)
      return true
    end
  end)
end
