-- What the other partitions must know of Q's own slot before they lease a batch
-- (docs/internals.md, Partitions). Times are ms from now, since each partition has a clock of its own.
-- Answer  {partitions that there ever were, JSON {pauses, paces, held}: "{}" mostly,
--          1 where there are paces}
local told = {}
for _, name in ipairs(redis.call("SMEMBERS", key("pauses"))) do
  local pause = hash(key("pause:" .. name))
  if pause["until"] then
    pause["until"] = tonumber(pause["until"]) - STEADY
    pause.probe_until = pause.probe_until and tonumber(pause.probe_until) - STEADY
    told.pauses = told.pauses or {}
    told.pauses[name] = pause
  end
end
for name, pace in pairs(hash(key("paces"))) do
  told.paces = told.paces or {}
  told.paces[name] = cjson.decode(pace)
end
local held = hash(key("held"))
told.held = next(held) and held
return { tonumber(redis.call("GET", key("partitions")) or 1) or 1, cjson.encode(told),
  told.paces and 1 or 0 }
