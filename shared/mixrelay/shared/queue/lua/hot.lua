-- Adds what one worker process counted to the day's events of each distinct_id and group, in
-- bounded memory (docs/internals.md, Hot shards). Only Q's own slot has these keys.
-- ARGV  op, number of group keys, the group keys, then for each shard: its name, events, the
--       limit from which on Mixpanel takes events from it
-- Answer  JSON {crossed: list of {name, count, limit, level}, groups: all known group keys}
--
--   ROOT:hot:<n>     zset  name of a shard -> events counted on day n since the epoch. "Space
--                          saving" (Metwally, Agrawal, El Abbadi: Efficient Computation of
--                          Frequent and Top-k Elements in Data Streams): a newcomer to a full
--                          set takes the place of the smallest, and its count too. So no count is
--                          too high by more than the smallest one, and `at least` is without it.
--   ROOT:hot         hash  shards that passed half of their limit -> JSON {count (at least),
--                          limit, level, at (ms, when last counted)}; kept for a day after that
--   ROOT:hot:groups  set   group keys, as JSON [fingerprint of the token, name]
--
-- The day of an event is part of a shard's name, the day of a key is that of the counting. So an
-- import of years needs no more memory, and two days of keys are looked at for events that
-- arrive around midnight.
local CAPACITY, LISTED_AT_MOST, GROUPS_AT_MOST = 4000, 200, 64
local DAY_MS, KEPT_S, LISTED_MS = 86400000, 180000, 86400000
local LEVELS = { 100, 90, 50 }
-- Workers estimate: what may have passed a level by 2 % has.
local TOLERANCE = 1.02
local op, group_keys = ARGV[1], tonumber(ARGV[2])
local before = answered(op)
if before then return before end

local day = math.floor(NOW / DAY_MS)
local today, yesterday = key("hot:" .. day), key("hot:" .. day - 1)
local listed, groups = key("hot"), key("hot:groups")
local wrong = expect("zset", today, yesterday) or expect("hash", listed) or expect("set", groups)
if wrong then return wrong end

local function smallest(counts, size)
  if size < CAPACITY then return 0 end
  local found = redis.call("ZRANGE", counts, 0, 0, "WITHSCORES")
  return tonumber(found[2]), found[1]
end

local size = redis.call("ZCARD", today)
local function add(name, events)
  if not redis.call("ZSCORE", today, name) then
    local floor, place = smallest(today, size)
    if place then redis.call("ZREM", today, place) else size = size + 1 end
    events = events + floor
  end
  redis.call("ZADD", today, "INCR", events, name)
end

local function at_least(name, floor, floor_before)
  local now, past = redis.call("ZSCORE", today, name), redis.call("ZSCORE", yesterday, name)
  return math.max(tonumber(now or 0) - floor, 0) + math.max(tonumber(past or 0) - floor_before, 0)
end

local function level_of(count, limit)
  for _, level in ipairs(LEVELS) do
    if count * TOLERANCE * 100 >= limit * level then return level end
  end
end

local known, known_count = {}, 0
for name, text in pairs(hash(listed)) do
  local shard = cjson.decode(text)
  if NOW - shard.at > LISTED_MS then
    redis.call("HDEL", listed, name)
  else
    known[name], known_count = shard, known_count + 1
  end
end

local crossed = {}
local function list(name, count, limit)
  local level = level_of(count, limit)
  local shard = known[name]
  if not level or (not shard and known_count >= LISTED_AT_MOST) then return end
  if not shard then known_count = known_count + 1 end
  if not shard or level > shard.level then
    crossed[#crossed + 1] = { name = name, count = count, limit = limit, level = level }
  end
  -- The smallest count grows too, and no count that was shown shrinks.
  known[name] = {
    count = math.max(count, shard and shard.count or 0), limit = limit,
    level = math.max(level, shard and shard.level or 0), at = NOW,
  }
  redis.call("HSET", listed, name, cjson.encode(known[name]))
end

for i = 3, 2 + group_keys do
  if redis.call("SCARD", groups) < GROUPS_AT_MOST then redis.call("SADD", groups, ARGV[i]) end
end
local first = 3 + group_keys
for i = first, #ARGV, 3 do add(ARGV[i], tonumber(ARGV[i + 1])) end
local floor, floor_before = smallest(today, size), smallest(yesterday, redis.call("ZCARD", yesterday))
for i = first, #ARGV, 3 do
  list(ARGV[i], at_least(ARGV[i], floor, floor_before), tonumber(ARGV[i + 2]))
end
if #ARGV >= first then redis.call("EXPIRE", today, KEPT_S) end

local found = cjson.encode({
  crossed = #crossed > 0 and crossed or nil, groups = redis.call("SMEMBERS", groups),
})
answer(op, found)
return found
