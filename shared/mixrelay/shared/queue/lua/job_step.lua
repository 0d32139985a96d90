-- One step of a bulk job: moves letters and notes how far the job is, in one. A second runner,
-- or a repetition after a lost reply, finds another cursor and changes nothing.
-- ARGV  id, the cursor that these letters follow, the cursor behind them, 1 if they are the
--       last, how many were looked at, then the numbers that match. Of letters that the job names
--       it takes as many as have so many bytes: the others are left to the next step.
-- Answer  {ms to wait where the rate says so, else 0, the record}
local id, before, after, last, looked = unpack(ARGV, 1, 5)
local FIRST = 6
local job = load_job(id)
if not job or not is_live(job) or job.cursor ~= before then return { 0, record(id) } end
local BYTES_AT_MOST = 1048576
local is_named = job.ids ~= "0"
local letters, payloads, upto = find_letters(FIRST, is_named and BYTES_AT_MOST)
if upto < #ARGV then
  looked = upto - FIRST + 1
  after, last = string.format("%d", (tonumber(before) or 0) + looked), "0"
end
local wrong = expect_job(id) or expect_indexes(letters) or expect_trash()
if wrong then return wrong end

redis.call("ZADD", key("jobs:live"), later(0), id)
local rate, asked = tonumber(job.rate), upto - FIRST + 1
local next_at = job.started == "" and STEADY or tonumber(job.next_at)
if rate and asked > 0 then
  if next_at > STEADY then return { math.ceil(next_at - STEADY), record(id) } end
  -- A runner that gave way may catch up, but not for all of its absence at once.
  next_at = math.max(next_at, STEADY - RATE_LAG_MS) + asked * 1000 / rate
end

-- What was replayed since the job began died another death, for another decision. No time tells
-- that where the clock was set back in between; a job of an older version knows no better.
local function died_again(letter)
  local death = letter.deaths and letter.deaths[#letter.deaths]
  if not death then return false end
  if job.turn then return (death.turn or 0) > tonumber(job.turn) end
  return death.replayed_at and death.replayed_at >= tonumber(job.created)
end
local meant, meant_payloads, found = {}, {}, {}
for i, letter in ipairs(letters) do
  local is_own = job.kind ~= "fix" or (letter.fixed or {}).job == id
  if is_own and letter.dead_since < tonumber(job.till) and not died_again(letter) then
    meant[#meant + 1], meant_payloads[#meant + 1], found[letter.id] = letter, payloads[i], true
  end
end
local missing = {}
if is_named then
  for word in string.gmatch(job.missing, "%S+") do missing[#missing + 1] = word end
  for i = FIRST, upto do
    if not found[ARGV[i]] and #missing < SKIPPED_NAMED then missing[#missing + 1] = ARGV[i] end
  end
end

local note = job.forgets ~= "1" and { who = job.who, why = job.why, job = id } or nil
if job.kind == "discard" then discard(meant, "operator", meant_payloads, note) else replay(meant, meant_payloads, id) end
job.moved = tonumber(job.moved) + #meant
redis.call("HSET", job_key(id), "state", "running", "cursor", after, "moved", job.moved,
  "looked", job.looked + looked, "matched", job.matched + asked,
  "skipped", job.skipped + asked - #meant, "missing", table.concat(missing, " "),
  "next_at", string.format("%.3f", next_at), "started", job.started == "" and NOW or job.started)
if last == "1" then
  end_job(id, job, "done")
elseif math.abs(NOW - (tonumber(job.told_at) or 0)) >= TELL_EVERY_MS and job.moved > 0 then
  tell(id, job, numbers_of(meant))
end
return { 0, record(id) }
