-- Finds bulk jobs that nobody runs, which whoever asks is to run: a worker's after 10 s without a
-- sign of its runner, one with a rate each second. A command's job of which nobody was heard for a
-- minute has ended with its command, and failed.
-- ARGV  most
-- Answer  ids that are to be run
local most = tonumber(ARGV[1])
local STALE_MS, SILENT_MS, WITH_RATE_MS = 60000, 10000, 1000
local wrong = expect("zset", key("jobs:live")) or expect_audit()
if wrong then return wrong end

local run = {}
local heard = redis.call("ZRANGE", key("jobs:live"), "-inf", STEADY - WITH_RATE_MS, "BYSCORE", "LIMIT", 0, most, "WITHSCORES")
for i = 1, #heard, 2 do
  local id, job = heard[i], load_job(heard[i])
  local silent = STEADY - tonumber(heard[i + 1])
  if not job then
    redis.call("ZREM", key("jobs:live"), id)
  elseif job.background == "1" and (silent >= SILENT_MS or job.rate ~= "") then
    redis.call("ZADD", key("jobs:live"), later(0), id)
    run[#run + 1] = id
  elseif job.background ~= "1" and silent >= STALE_MS then
    end_job(id, job, "failed", "the command that ran it ended before it was done")
  end
end
return run
