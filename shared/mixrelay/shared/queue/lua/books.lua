-- Every figure at one instant (docs/invariants.md, rule 1).
-- Answer  JSON, and the head of Q (so that its age can be told) or false
local HEAD_SHOWN = 4096
local wrong = expect("hash", key("notices"), key("hot"))
if wrong then return wrong end

local lanes, oldest, oldest_in = {}, nil, {}
local function older(received, lane)
  if not received then return end
  if not oldest or received < oldest then oldest = received end
  if not oldest_in[lane] or received < oldest_in[lane] then oldest_in[lane] = received end
end
for _, lane in ipairs(LANES) do
  local name = key("lane:" .. lane)
  lanes[lane] = redis.call("LLEN", name)
  local head = redis.call("LINDEX", name, 0)
  if head then
    local _, received = split_member(head)
    older(received, lane)
  end
end

local leased, parked = {}, {}
local batches = redis.call("HGETALL", key("batches"))
for i = 1, #batches, 2 do
  local state = cjson.decode(batches[i + 1])
  local into = state.claim and leased or parked
  into[state.lane] = (into[state.lane] or 0) + redis.call("LLEN", key("batch:" .. batches[i]))
  older(state.oldest, state.lane)
end

local pauses = {}
for _, destination in ipairs(redis.call("SMEMBERS", key("pauses"))) do
  local pause = hash(key("pause:" .. destination))
  pause["until"] = pause["until"] and tonumber(pause["until"]) - offset
  pauses[destination] = pause
end
local paces = {}
for destination, pace in pairs(hash(key("paces"))) do
  paces[destination] = cjson.decode(pace).limit
end
local tokens = {}
for name, text in pairs(hash(key("tokens"))) do
  local token = cjson.decode(text)
  token.again = token.again and token.again - offset
  tokens[name] = token
end
local minutes = {}
for back = 0, 1 do
  local minute = math.floor(NOW / 60000) - back
  minutes[tostring(minute)] = hash(key("minute:" .. minute))
end
local head = redis.call("LINDEX", Q, 0)
local oldest_letter = redis.call("ZRANGE", key("dead"), 0, 0, "WITHSCORES")[2]
return { cjson.encode({
  now = NOW, queued = redis.call("LLEN", Q), lanes = lanes, leased = leased, parked = parked,
  batches = #batches / 2, dead = redis.call("ZCARD", key("dead")),
  dead_by = hash(key("dead:counts")), oldest_letter = tonumber(oldest_letter),
  totals = hash(key("totals")), minutes = minutes, pauses = pauses, paces = paces,
  held = hash(key("held")), tokens = tokens, notices = hash(key("notices")), hot = hash(key("hot")),
  oldest = oldest, oldest_in = oldest_in, clock = { at = stepped_at, by = stepped_by },
  empty_at = tonumber(redis.call("GET", key("empty_at")) or nil),
}), head and string.sub(head, 1, HEAD_SHOWN) }
