-- Bulk jobs: a record of each, which the script that moves its letters changes in the same step.
--
--   state     queued, running, cancelled, done, failed
--   kind      replay, discard, fix; filter JSON, or the letters named in job:<id>:ids. Those of a fix
--             are named as they are corrected (correct.lua); undone counts those taken back
--   till      letters buried then or later are not meant: what dies again does not come round
--   turn      how many letters had been replayed when it was made: who was replayed since is not meant
--   cursor    behind which letter it goes on; planned, looked, matched, moved, skipped count
--   next_at   with a rate: when the next letter may go, by STEADY, as are the scores of jobs:live
--   outcome:<what>  what became of those re-queued: delivered, failed, same, gone, split (_prelude.lua)
--   told      of the moved, how many the audit has; told_at when it was told
local RATE_LAG_MS = 10000
local TELL_EVERY_MS = 5000
local SKIPPED_NAMED = 100
local JOBS_KEPT, JOBS_KEPT_MS = 1000, 30 * 86400000
local FORGOTTEN_AT_ONCE = 50

local function job_key(id) return key("job:" .. id) end

local function expect_job(id)
  return expect("zset", key("jobs"), key("jobs:live"))
    or expect("hash", job_key(id)) or expect("list", job_key(id) .. ":ids") or expect_audit()
end

local function load_job(id)
  local flat, job = redis.call("HGETALL", job_key(id)), {}
  for i = 1, #flat, 2 do job[flat[i]] = flat[i + 1] end
  return job.kind and job
end

-- The numbers of letters that are replayed; one that names none (any more) stands where it would.
local function numbers_by_place(numbers)
  local letters = {}
  for i, number in ipairs(numbers) do
    local stored = redis.call("HGET", key("letters"), number)
    -- Most stand by their own number, for which nothing need be parsed.
    local is_other = stored and string.find(stored, '"imported"', 1, true)
    letters[i] = is_other and parse_letter(stored) or { id = number }
  end
  local sorted = {}
  for i, letter in ipairs(by_place(letters)) do sorted[i] = letter.id end
  return sorted
end

local function is_live(job) return job.state == "queued" or job.state == "running" end

local function record(id) return redis.call("HGETALL", job_key(id)) end

-- Tells the audit what was moved since it was told last.
local function tell(id, job, numbers)
  local untold = tonumber(job.moved) - tonumber(job.told)
  if untold == 0 and job.told_at ~= "" then return end
  audit(job.kind == "fix" and "replay" or job.kind, { who = job.who, why = job.why, count = untold, job = id, filter = job.filter }, numbers)
  redis.call("HSET", job_key(id), "told", job.moved, "told_at", NOW)
end

local function end_job(id, job, state, error)
  redis.call("HSET", job_key(id), "state", state, "finished", NOW, "error", error or "")
  redis.call("ZREM", key("jobs:live"), id)
  tell(id, job)
end

local function forget_job(id)
  redis.call("UNLINK", job_key(id), job_key(id) .. ":ids")
  redis.call("ZREM", key("jobs"), id)
  tally("jobs_forgotten", 1)
end

-- Those that are over are kept for 30 days, and of them the newest 1,000.
local function forget_old()
  local over = redis.call("ZCARD", key("jobs")) - JOBS_KEPT
  local oldest = redis.call("ZRANGE", key("jobs"), 0, FORGOTTEN_AT_ONCE - 1, "WITHSCORES")
  for i = 1, #oldest, 2 do
    local is_old = tonumber(oldest[i + 1]) < NOW - JOBS_KEPT_MS
    local live = redis.call("ZSCORE", key("jobs:live"), oldest[i])
    if not live and (is_old or (i + 1) / 2 <= over) then forget_job(oldest[i]) end
  end
end
