-- Copies of what `/engage`, `/groups` and `/track` accepted, kept until there is evidence that
-- Mixpanel knows the token (docs/internals.md, Proven tokens). The batch's own list is the copy.
--   ROOT:kept           zset  batch id -> when its request was sent (ms, by STEADY of Q's own slot)
--   ROOT:kept:<token>   zset  the same, of one token
--   ROOT:kept:batches   hash  batch id -> JSON {token, lane, destination, own, oldest, replayed,
--                             count (messages), bytes}
--   ROOT:kept:bytes     hash  token -> bytes kept; "all"; "dropped": batches over the limit so far
local KEPT, KEPT_BATCHES, KEPT_BYTES = key("kept"), key("kept:batches"), key("kept:bytes")
local KEPT_AT_MOST = 67108864
local KEPT_MS = 86400000
local OVERHEAD = 512    -- bytes that a batch costs beside its messages

local function expect_kept(token)
  return expect("zset", KEPT, key("kept:" .. token)) or expect("hash", KEPT_BATCHES, KEPT_BYTES)
end

local function count_kept(token, bytes)
  redis.call("HINCRBY", KEPT_BYTES, "all", bytes)
  if redis.call("HINCRBY", KEPT_BYTES, token, bytes) <= 0 then
    redis.call("HDEL", KEPT_BYTES, token)
  end
end

-- Forgets that a list is a copy; the list itself stays.
local function take_kept(id)
  local text = redis.call("HGET", KEPT_BATCHES, id)
  local copy = text and cjson.decode(text)
  redis.call("ZREM", KEPT, id)
  if not copy then return end
  redis.call("ZREM", key("kept:" .. copy.token), id)
  redis.call("HDEL", KEPT_BATCHES, id)
  count_kept(copy.token, -copy.bytes)
  return copy
end

local function drop_kept(id)
  take_kept(id)
  redis.call("UNLINK", key("batch:" .. id))
end

local function make_room()
  while tonumber(redis.call("HGET", KEPT_BYTES, "all")) > KEPT_AT_MOST do
    drop_kept(redis.call("ZRANGE", KEPT, 0, 0)[1])
    redis.call("HINCRBY", KEPT_BYTES, "dropped", 1)
  end
end

-- Copies stand in the order in which they were settled, which in an ordered lane is that of the
-- messages: two workers' clocks must not turn it round.
local function keep(id, state, wanted, count)
  local mine = key("kept:" .. wanted.token)
  local last = redis.call("ZRANGE", mine, -1, -1, "WITHSCORES")[2]
  local sent = math.max(wanted.sent, last and tonumber(last) + 0.001 or 0)
  local bytes = wanted.bytes + OVERHEAD
  redis.call("ZADD", KEPT, sent, id)
  redis.call("ZADD", mine, sent, id)
  redis.call("HSET", KEPT_BATCHES, id, cjson.encode({
    token = wanted.token, lane = state.lane, destination = state.destination,
    own = state.own or false, oldest = state.oldest, replayed = state.replayed,
    present = state.present, host_ahead = state.host_ahead,
    count = count, bytes = bytes,
  }))
  count_kept(wanted.token, bytes)
  make_room()
end
