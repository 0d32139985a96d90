-- Every figure at one instant (docs/invariants.md, rule 1).
-- Answer  JSON, and the head of Q (so that its age can be told) or false
local HEAD_SHOWN = 4096
local wrong = expect("hash", key("notices"), key("hot"), key("harm"))
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
    local _, received = head_of(head)
    older(received, lane)
  end
end

-- Where fresh ones of a lane go is known before they are read only as where its last failed.
local pauses, shut_lanes = {}, {}
for _, destination in ipairs(redis.call("SMEMBERS", key("pauses"))) do
  local pause = hash(key("pause:" .. destination))
  pause["until"] = pause["until"] and tonumber(pause["until"]) - offset
  pauses[destination] = pause
  if pause.lane and pause.own ~= "0" then shut_lanes[pause.lane] = true end
end

-- Received when, of the oldest that could be sent now: by an outage or a pause it does not grow.
local ready
local held_lanes = hash(key("held"))
local function readier(lane, received, destination)
  if not received or held_lanes[lane] or pauses[destination or ""] then return end
  if not ready or received < ready then ready = received end
end
for _, lane in ipairs(LANES) do
  local head = not shut_lanes[lane] and redis.call("LINDEX", key("lane:" .. lane), 0)
  if head then
    local _, received = head_of(head)
    readier(lane, received)
  end
end

local leased, parked = {}, {}
local batches = redis.call("HGETALL", key("batches"))
for i = 1, #batches, 2 do
  local state = cjson.decode(batches[i + 1])
  local into = state.claim and leased or parked
  into[state.lane] = (into[state.lane] or 0) + redis.call("LLEN", key("batch:" .. batches[i]))
  older(state.oldest, state.lane)
  if not state.claim and (state.due or 0) <= STEADY then
    readier(state.lane, state.oldest, state.destination)
  end
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
-- A key that holds messages and has a time to live takes them along.
local EXPIRING_SHOWN = 5
local expiring = {}
local function look_at_end(name)
  local left = #expiring < EXPIRING_SHOWN and redis.pcall("PTTL", name)
  if type(left) == "number" and left >= 0 then expiring[#expiring + 1] = { name, left } end
end
look_at_end(Q)
for _, names in pairs(FIXED) do
  for _, name in ipairs(names) do
    if not string.find(name, ":minute:", 1, true) then look_at_end(name) end
  end
end
local head = redis.call("LINDEX", Q, 0)
local oldest_letter = redis.call("ZRANGE", key("dead"), 0, 0, "WITHSCORES")[2]
return { cjson.encode({
  now = NOW, queued = redis.call("LLEN", Q), lanes = lanes, leased = leased, parked = parked,
  batches = #batches / 2, dead = redis.call("ZCARD", key("dead")),
  dead_by = hash(key("dead:counts")), oldest_letter = tonumber(oldest_letter),
  totals = hash(key("totals")), minutes = minutes, pauses = pauses, paces = paces,
  held = held_lanes, tokens = tokens, notices = hash(key("notices")), hot = hash(key("hot")),
  expiring = expiring, harm = hash(key("harm")), oldest = oldest, oldest_in = oldest_in,
  ready = ready, clock = { at = stepped_at, by = stepped_by },
  empty_at = tonumber(redis.call("GET", key("empty_at")) or nil),
}), head and string.sub(head, 1, HEAD_SHOWN) }
