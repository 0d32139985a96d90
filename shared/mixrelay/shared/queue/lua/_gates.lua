-- What an answer means for its destination (docs/invariants.md, rule 4): pauses, who probes, paces.
-- A word is what a batch's settlement says of one, in the batch's own slot and, where that is
-- not Q's own, in Q's too: {what, id (of the batch), lane, own, probe, destination, ...}.

-- From when on one may probe; nil where there is no pause.
local function closed_until(name)
  local pause = redis.call("HMGET", key("pause:" .. name), "until", "probe_until")
  return pause[1] and math.max(tonumber(pause[1]), tonumber(pause[2] or 0))
end

local function let_probe(name, id, lease_ms)
  redis.call("HSET", key("pause:" .. name), "probe", id, "probe_until", later(lease_ms))
end

-- Credentials or an address that were replaced leave a pause behind which nothing waits and
-- that no acceptance of theirs would end: one of what replaced them does. Where there are many,
-- each acceptance would look at all of them: then once a second does.
local FEW_PAUSES, LOOKED_EVERY_MS = 16, 1000
local function forget_former(lane)
  if redis.call("SCARD", key("pauses")) > FEW_PAUSES
    and not redis.call("SET", key("former:" .. lane), "", "PX", LOOKED_EVERY_MS, "NX") then
    return
  end
  for _, name in ipairs(redis.call("SMEMBERS", key("pauses"))) do
    local pause = redis.call("HMGET", key("pause:" .. name), "lane", "own", "until")
    if pause[1] == lane and pause[2] == "1" and tonumber(pause[3]) <= STEADY then
      end_pause(name)
    end
  end
end

-- Returns true where the destination is open now.
local function reopen(word)
  local name = word.destination
  redis.call("HSET", key("accepted"), name, later(0))
  local pause = redis.call("HMGET", key("pause:" .. name), "status", "probe", "token")
  local probed = pause[2] == word.id
  -- Only a proof ends what a refused token opened: these endpoints accept any (proof.lua).
  if pause[3] then return false end
  speed_up(name, word.lane, probed)
  -- What was under way when the rate was found too high does not show that it is not.
  if tonumber(pause[1] or 0) == RATE_LIMITED and not probed then return false end
  end_pause(name)
  if word.own then forget_former(word.lane) end
  return true
end

local function backoff(pause, failures)
  local delay = math.min(pause.cap, pause.base * 2 ^ math.min(failures - 1, 30)) + pause.jitter
  return math.floor(math.max(delay, pause.at_least or 0))
end

-- One backoff for the fleet: requests that were under way together fail as one. Returns when
-- it ends.
local function pause_destination(word)
  local name, destination = key("pause:" .. word.destination), word.destination
  local before = redis.call("HMGET", name, "failures", "until", "since")
  if not before[1] then slow_down(destination, word.lane, word.status) end
  local failures, ends = tonumber(before[1] or 0), tonumber(before[2] or 0)
  if word.probe or ends <= STEADY then
    failures = failures + 1
    ends = later(backoff(word.pause, failures))
  else
    ends = math.max(ends, later(word.pause.at_least or 0))
  end
  redis.call("HSET", name, "until", ends, "failures", failures, "since", before[3] or NOW,
    "kind", word.pause.kind, "reason", word.error, "status", word.status or 0,
    "lane", word.lane, "own", word.own and 1 or 0, "last", word.id)
  release(destination, word.id)
  redis.call("SADD", key("pauses"), destination)
  return ends
end

