-- What others do to this queue's keys: takes off each time to live that was set on a key which
-- holds messages or counts them, and notes that the queue was emptied, or set back to an earlier
-- state. What was found stands in `harm`, for those who look.
-- ARGV  where among the batches to go on, most batches, the queue's id and its last number as the
--       caller saw them before ("": it has not seen them)
-- Answer  {where to go on, keys that had a time to live, one of them, 1 if it was emptied or set
--          back, id, number}
local cursor, most, known_id, known = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local HARM_KEPT_S = 90000
local KEPT_FOREVER = {
  "tokens", "kept", "kept:batches", "kept:bytes", "retention", "notices", "hot", "hot:groups",
  "jobs", "jobs:live", "audit", "alerts", "loads", "loads:at",
}
local wrong = expect("hash", key("harm"))
if wrong then return wrong end

local found, example = 0, ""
local function keep(name)
  -- A user that was set up for an older version may lack the right.
  if redis.pcall("PERSIST", name) ~= 1 then return end
  found = found + 1
  if example == "" then example = name end
end

keep(Q)
for _, names in pairs(FIXED) do
  for _, name in ipairs(names) do
    if not string.find(name, ":minute:", 1, true) then keep(name) end
  end
end
for _, name in ipairs(KEPT_FOREVER) do keep(key(name)) end
for _, name in ipairs(redis.call("SMEMBERS", key("pauses"))) do keep(key("pause:" .. name)) end
for lane in pairs(ORDERED) do
  for _, line in ipairs(redis.call("ZRANGE", key("lines:" .. lane), 0, SLICE)) do
    keep(line_key(lane, line))
  end
end
for _, group in ipairs(redis.call("HKEYS", key("dead:counts"))) do
  local reason, status, kind = string.match(group, "^(.*)|(.*)|(.*)$")
  keep(key("dead:group:" .. group))
  if reason then
    for index, of in pairs({ reason = reason, status = status, type = kind }) do
      keep(key("dead:" .. index .. ":" .. of))
    end
  end
end
local page = redis.call("HSCAN", key("batches"), cursor, "COUNT", most)
for i = 1, #page[2], 2 do keep(key("batch:" .. page[2][i])) end

local function note(what, told)
  redis.call("HSET", key("harm"), what, cjson.encode(told))
  redis.call("EXPIRE", key("harm"), HARM_KEPT_S)
end

local id, number = redis.call("GET", key("id")) or "", tonumber(redis.call("GET", key("number")) or 0)
local emptied = known_id ~= "" and (id ~= known_id or number < known)
if emptied then note("emptied", { at = NOW, was = known, now = number }) end
if found > 0 then note("expiring", { at = NOW, key = example, keys = found }) end
return { page[1], found, example, emptied and 1 or 0, id, number }
