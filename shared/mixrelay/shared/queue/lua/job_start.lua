-- Notes a bulk job. Asked again with the same id, it answers with the job that is there.
-- ARGV  id, kind, filter as JSON, until (ms, "" for now), rate ("" for none), who, why,
--       planned ("" for unknown), 1 if a worker runs it (else the caller), 1 to tell the audit
--       also where nothing is moved (else another partition does), 1 if what is discarded does not
--       go into the trash, then numbers
-- Answer  the record
local id, kind, filter, till, rate, who, why, planned, background, tells, forgets = unpack(ARGV, 1, 11)
local FIRST = 12
-- Whoever looks for work finds it at once.
local STALE_MS = 60000
local wrong = expect_job(id)
if wrong then return wrong end
if load_job(id) then return record(id) end

-- After a clock was set back letters lie ahead of it that are meant all the same.
local newest = redis.call("ZRANGE", key("dead"), -1, -1, "WITHSCORES")[2]
local buried = math.max(NOW, tonumber(newest or 0)) + 1
forget_old()
redis.call("HSET", job_key(id), "id", id, "kind", kind, "filter", filter, "rate", rate, "who", who,
  "why", why, "planned", planned, "background", background, "state", "queued",
  "till", string.format("%d", math.min(tonumber(till) or math.huge, buried)), "ids", #ARGV - FIRST + 1,
  "created", NOW, "started", "", "finished", "", "cursor", "", "looked", 0, "matched", 0,
  "moved", 0, "skipped", 0, "missing", "", "told", 0, "told_at", tells == "1" and "" or NOW, "next_at", STEADY, "error", "",
  "turn", replays_so_far(), "forgets", forgets)
local numbers = {}
for i = FIRST, #ARGV do numbers[#numbers + 1] = ARGV[i] end
if kind == "replay" then numbers = numbers_by_place(numbers) end
push("RPUSH", job_key(id) .. ":ids", numbers)
redis.call("ZADD", key("jobs"), NOW, id)
redis.call("ZADD", key("jobs:live"), background == "1" and STEADY - STALE_MS or later(0), id)
return record(id)
