-- The copy that a partition keeps of the gates in Q's own slot (docs/internals.md, Partitions), so
-- that all other scripts find them where Q's own partition has them. Times come as ms from now:
-- each partition has a clock of its own.
local function expect_mirrored(gates)
  for name in pairs(gates.pauses or {}) do
    local wrong = expect("hash", key("pause:" .. name))
    if wrong then return wrong end
  end
end

local function mirror_pauses(pauses)
  for _, name in ipairs(redis.call("SMEMBERS", key("pauses"))) do end_pause(name) end
  for name, pause in pairs(pauses) do
    pause["until"] = later(pause["until"])
    pause.probe_until = pause.probe_until and later(pause.probe_until)
    redis.call("SADD", key("pauses"), name)
    for field, value in pairs(pause) do redis.call("HSET", key("pause:" .. name), field, value) end
  end
end

-- What a pace held back here is not known there before the next acceptance (`speed_up`).
local function mirror_paces(paces)
  local before = hash(key("paces"))
  redis.call("DEL", key("paces"))
  for name, pace in pairs(paces) do
    take_held(pace, before[name] and cjson.decode(before[name]).held)
    redis.call("HSET", key("paces"), name, cjson.encode(pace))
  end
end

local function mirror_held(held)
  redis.call("DEL", key("held"))
  for lane, who in pairs(held) do redis.call("HSET", key("held"), lane, who) end
end

-- Mostly there is nothing on either side.
local function mirror(text)
  if text == "{}" and redis.call("EXISTS", key("pauses"), key("paces"), key("held")) == 0 then
    return
  end
  local gates = cjson.decode(text)
  local wrong = expect_mirrored(gates)
  if wrong then return wrong end
  mirror_pauses(gates.pauses or {})
  mirror_paces(gates.paces or {})
  mirror_held(gates.held or {})
end

