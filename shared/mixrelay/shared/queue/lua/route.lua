-- Moves tuples from Q to the lane that their type word names (docs/invariants.md, rules 5, 7),
-- each with its number and the time of receipt in front. JSON is not read here.
-- ARGV  most tuples, most bytes, a random id for a queue that has none, partition
-- Answer  {moved, left in Q}
local most, most_bytes, new_id, partition = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local EMPTY_NOTED_MS = 5000
-- Read before their bytes are counted: one, then more while they turn out to be small, and no more
-- than would fit if each were as large as the largest so far. Of huge ones each is a call.
local CHUNK = 4

local wrong = expect("list", Q)
if wrong then return wrong end
if not string.find(redis.call("GET", key("number")) or "0", "^%d+$") then
  return redis.error_reply("WRONGTYPE key '" .. key("number") .. "' holds no number")
end

raise_schema()
redis.call("SETNX", key("id"), new_id)
local taken, bytes, some, largest = {}, 0, 1, 1
while #taken < most and bytes < most_bytes do
  local fit = math.max(1, math.floor((most_bytes - bytes) / largest))
  local chunk = redis.call("LPOP", Q, math.min(some, fit, most - #taken))
  if not chunk then break end
  some = math.min(some * 2, CHUNK)
  for _, payload in ipairs(chunk) do
    taken[#taken + 1] = payload
    bytes = bytes + #payload
    largest = math.max(largest, #payload)
  end
end

local last = #taken > 0 and redis.call("INCRBY", key("number"), #taken)
local head, tail = partition .. "-", string.format(" %d 0 ", NOW)
local lanes = { event = {}, import = {}, profile_update = {}, group_update = {}, odd = {} }
for i, payload in ipairs(taken) do
  local lane = lanes[kind_word(payload) or "odd"]
  lane[#lane + 1] = head .. string.format("%d", last - #taken + i) .. tail .. payload
end
for _, lane in ipairs(LANES) do push("RPUSH", key("lane:" .. lane), lanes[lane]) end
tally("received", #taken)

local left = redis.call("LLEN", Q)
if left == 0 then
  -- Those who find nothing look again and again: their sight of it is written down now and then.
  local noted = #taken == 0 and tonumber(redis.call("GET", key("empty_at")) or nil)
  if not noted or noted > NOW or NOW - noted >= EMPTY_NOTED_MS then
    redis.call("SET", key("empty_at"), NOW)
  end
end
return { #taken, left }
