-- Cancels, resumes, fails a bulk job, or changes its rate; who is over stays over. Or notes that
-- its runner was heard of, while another partition's letters are moved, or that it leaves the job.
-- "hand_over" has workers run it from now on.
-- ARGV  id, "cancel", "resume", "fail", "rate", "hand_over", "heard" or "leave", the error or the rate ("" for
--       none), who, why, 1 if the audit has been told already
-- Answer  {1 if it was changed, the record}
local id, what, value, who, why, is_told = unpack(ARGV)
local STALE_MS = 60000
local wrong = expect_job(id)
if wrong then return wrong end
local job = load_job(id)
if not job then return { 0, {} } end

local is_over = not is_live(job)
local fits = is_over == (what == "resume") and job.state ~= "done"
if not fits then return { 0, record(id) } end
if what == "cancel" then
  end_job(id, job, "cancelled")
elseif what == "fail" then
  end_job(id, job, "failed", value)
elseif what == "resume" then
  redis.call("HSET", job_key(id), "state", "queued", "finished", "", "error", "", "background", "1", "next_at", STEADY)
  redis.call("ZADD", key("jobs:live"), STEADY - STALE_MS, id)
elseif what == "rate" then
  redis.call("HSET", job_key(id), "rate", value, "next_at", STEADY)
  -- Its runner may have left it to those who look after jobs with a rate.
  if value == "" and job.background == "1" then redis.call("ZADD", key("jobs:live"), STEADY - STALE_MS, id) end
elseif what == "hand_over" then
  redis.call("HSET", job_key(id), "background", "1")
  redis.call("ZADD", key("jobs:live"), STEADY - STALE_MS, id)
elseif what == "heard" then
  redis.call("ZADD", key("jobs:live"), later(0), id)
elseif what == "leave" and job.background == "1" then
  redis.call("ZADD", key("jobs:live"), STEADY - STALE_MS, id)
end
local is_decision = what == "cancel" or what == "resume" or what == "rate"
if is_decision and is_told ~= "1" then
  local told = what == "rate" and (value == "" and "no rate" or value .. " a second") or ""
  audit(what, { who = who, why = why ~= "" and why or told, job = id })
end
return { 1, record(id) }
