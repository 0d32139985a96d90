-- What Mixpanel does to records without an error: counted with the settlement that delivers them,
-- and records that it would drop are not sent at all (docs/internals.md, Notices).
--   ROOT:notices  hash  kind -> the first example as JSON {at (ms), lane, name, field, detail,
--                       number}; replaced once it is older than a day
local EXAMPLE_KEPT_MS = 86400000

local function expect_notices(noticed)
  return noticed and expect("hash", key("notices"))
end

local function keep_example(kind, example)
  local kept = redis.call("HGET", key("notices"), kind)
  local at = kept and tonumber(string.match(kept, '"at":(%d+)') or 0)
  if at and NOW - at <= EXAMPLE_KEPT_MS then return end
  example.at = NOW
  redis.call("HSET", key("notices"), kind, cjson.encode(example))
end

-- noticed: {kind: {count, example}}
local function note(noticed, lane)
  for kind, one in pairs(noticed or {}) do
    tally("noticed:" .. kind, one.count)
    one.example.lane = lane
    keep_example(kind, one.example)
  end
end

-- Events with `$ignore`: Mixpanel drops them, so they count as discarded.
local function count_ignored(members)
  tally("discarded", #members)
  tally("discarded:ignored", #members)
  tally("ignored", #members)
end
