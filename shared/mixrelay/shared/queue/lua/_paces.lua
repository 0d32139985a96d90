-- How many batches may be under way to a destination at once, after it was away or refused
-- (docs/invariants.md, rule 4): slow start, and half of what was too much.
-- Mixpanel: 429 Rate Limit Exceeded. The project sends too much, whichever batch is told so.
local RATE_LIMITED = 429
-- A pace ends here at the earliest, and not before it is over twice what last held a batch back.
local FULL_SPEED = 32

local function pace_of(name)
  local pace = redis.call("HGET", key("paces"), name)
  return pace and cjson.decode(pace)
end

local function save_pace(name, pace)
  pace.at = later(0)
  redis.call("HSET", key("paces"), name, cjson.encode(pace))
end

-- Batches leased for each destination: counted, so that nothing can leave a slot taken. A lease
-- that ran out holds none.
local function leased()
  local counts = {}
  for _, id in ipairs(redis.call("ZRANGE", key("leases"), STEADY, "+inf", "BYSCORE")) do
    local state = load(id)
    local name = state and state.destination
    if name then counts[name] = (counts[name] or 0) + 1 end
  end
  return counts
end

-- The same in the other partitions, where the script was told.
local leased_elsewhere = {}
local function leased_to(name) return (leased()[name] or 0) + (leased_elsewhere[name] or 0) end

-- The limit at which a pace last held a batch back, as another partition knows it.
local function take_held(pace, held)
  if (held or 0) > (pace.held or 0) and held <= pace.limit then pace.held = held end
  return pace
end

local function note_held(name, held)
  local pace = held and pace_of(name)
  if pace then save_pace(name, take_held(pace, held)) end
end

-- Slow start: from one batch on, doubled with each round trip; once the rate was limited, from
-- half of what was too much on only one more with each.
local function speed_up(name, lane, probed)
  local pace = pace_of(name)
  if ORDERED[lane] or not (pace or probed) then return end
  if probed then return save_pace(name, { limit = 1, goal = pace and pace.goal }) end
  local slowly = pace.goal and pace.limit >= pace.goal
  pace.passed = slowly and (pace.passed or 0) + 1 or nil
  if not slowly or pace.passed >= pace.limit then
    pace.limit, pace.passed = pace.limit + 1, nil
  end
  if pace.limit >= FULL_SPEED and pace.limit > 2 * (pace.held or 0) then
    redis.call("HDEL", key("paces"), name)
  else
    save_pace(name, pace)
  end
end

local function slow_down(name, lane, status)
  if ORDERED[lane] then return end
  local pace, under_way = pace_of(name), leased_to(name)
  local half = math.max(math.floor(math.min(pace and pace.limit or under_way, under_way) / 2), 1)
  save_pace(name, { limit = half, goal = status == RATE_LIMITED and half or nil })
end

