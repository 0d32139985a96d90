-- The server's clock was set ahead, or a replica whose clock is ahead took over: the queue's own goes
-- on where it was (docs/internals.md, Clocks). What was to end by the time that this script takes
-- away was noted meanwhile, and ends as much earlier.
-- ARGV  by how much (ms), what STEADY had beside the server's clock when that was seen, lease ms, how
--       long ago it was at most (ms)
-- Answer  1, or 0 where another worker was first
local by, beside = tonumber(ARGV[1]), tonumber(ARGV[2])
local lease_ms, ago = tonumber(ARGV[3]), tonumber(ARGV[4])
local AT_MOST = 1000
if offset ~= beside then return 0 end

-- All there is to be seen before the first is written.
local wrong = expect("hash", key("tokens")) or expect("zset", key("jobs:live"))
if wrong then return wrong end
for _, name in ipairs(redis.call("SMEMBERS", key("pauses"))) do
  wrong = wrong or expect("hash", key("pause:" .. name))
end
for _, id in ipairs(redis.call("EXISTS", key("jobs:live")) == 1 and redis.call("ZRANGE", key("jobs:live"), 0, AT_MOST) or {}) do
  wrong = wrong or expect("hash", key("job:" .. id))
end
if wrong then return wrong end

offset, STEADY = offset - by, STEADY - by
seen, stepped_at, stepped_by = NOW, NOW, by
redis.call("SET", key("clock"), clock_text())
tally("clock_steps", 1)

-- So long waits only what was noted since, or what may end earlier.
local longest = STEADY + math.max(by - ago, 0)
local function is_late(moment) return moment and tonumber(moment) and tonumber(moment) > longest end
local function late(name)
  return redis.call("ZRANGE", name, string.format("(%d", longest), "+inf", "BYSCORE", "LIMIT", 0, AT_MOST, "WITHSCORES")
end

local function end_earlier(hash_name, field)
  local moment = redis.call("HGET", hash_name, field)
  if is_late(moment) then redis.call("HSET", hash_name, field, tonumber(moment) - by) end
end

for _, name in ipairs(redis.call("SMEMBERS", key("pauses"))) do
  end_earlier(key("pause:" .. name), "until")
  end_earlier(key("pause:" .. name), "probe_until")
end
for _, lane in ipairs(LANES) do
  local parked = late(key("parked:" .. lane))
  for i = 1, #parked, 2 do
    local state = load(parked[i])
    redis.call("ZADD", key("parked:" .. lane), tonumber(parked[i + 1]) - by, parked[i])
    if state and is_late(state.due) then
      state.due = state.due - by
      save(parked[i], state)
    end
  end
  if ORDERED[lane] then
    local lines = late(key("lines:" .. lane))
    for i = 1, #lines, 2 do redis.call("ZADD", key("lines:" .. lane), STEADY, lines[i]) end
  end
end
-- A lease is prolonged by who holds it, and never longer than one.
local leases = redis.call("ZRANGE", key("leases"), string.format("(%d", STEADY + lease_ms), "+inf", "BYSCORE")
for _, id in ipairs(leases) do redis.call("ZADD", key("leases"), STEADY + lease_ms, id) end
for name, text in pairs(hash(key("tokens"))) do
  local token = cjson.decode(text)
  if is_late(token.again) then
    token.again = token.again - by
    redis.call("HSET", key("tokens"), name, cjson.encode(token))
  end
end
local heard = redis.call("ZRANGE", key("jobs:live"), 0, AT_MOST, "WITHSCORES")
for i = 1, #heard, 2 do
  if tonumber(heard[i + 1]) > STEADY then redis.call("ZADD", key("jobs:live"), STEADY, heard[i]) end
  end_earlier(key("job:" .. heard[i]), "next_at")
end
return 1
