-- What was told of the alerts, so that of any number of watchers one tells of each, once.
-- ARGV  "begin", "end" or "told", the alert's name, the watcher, how long a claim lasts (ms),
--       what is told of it
-- Answer  {1 where this watcher is to tell it now, since when it fires (ms), what is told of it}
--
-- An alert fires from its "begin" until its "end" was told, and then is forgotten. Who is to tell
-- has claimed it, and nobody else changes it meanwhile; a claim that ran out is anyone's.
local what, name, watcher, lasts, text = unpack(ARGV)
local alerts = key("alerts")
local wrong = expect("hash", alerts)
if wrong then return wrong end

local stored = redis.call("HGET", alerts, name)
local alert = stored and cjson.decode(stored)
local function keep() redis.call("HSET", alerts, name, cjson.encode(alert)) end
local function answer_with(claimed)
  return { claimed and 1 or 0, alert and alert.since or "0", alert and alert.text or "" }
end

if what == "told" then
  if not alert or alert.by ~= watcher then return answer_with(false) end
  if alert.ended then
    redis.call("HDEL", alerts, name)
  else
    alert.told, alert.by, alert["until"] = true, nil, nil
    keep()
  end
  return answer_with(false)
end

if alert and alert.by and alert.by ~= watcher and alert["until"] > STEADY then
  return answer_with(false)
end
if what == "begin" then
  alert = alert or { since = string.format("%.0f", NOW), text = text }
  if alert.told then
    -- Back before its end was told: whoever was to tell that has nothing to tell.
    if alert.ended then
      alert.ended, alert.by, alert["until"] = nil, nil, nil
      keep()
    end
    return answer_with(false)
  end
elseif not alert then
  return answer_with(false)
elseif not alert.told then
  redis.call("HDEL", alerts, name)
  return answer_with(false)
else
  alert.ended = true
end
alert.by, alert["until"] = watcher, later(tonumber(lasts))
keep()
return answer_with(true)
