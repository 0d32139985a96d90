-- Ends what a worker began with a batch: each member that has a verdict is moved and
-- counted, the rest keeps the lease, is parked for a retry, or is given back (docs/invariants.md,
-- rules 1, 2, 4, 5, 12).
-- ARGV  batch id, claim, op, plan as JSON:
--   sent         a request was made
--   accepted     the destination answered as Mixpanel does when it is well
--   destination  where the request went
--   own          true: with the worker's own credentials
--   delivered    "all", or a list of numbers
--   dead         list of {number, reason, status, error, field, unsent (not in the request)}
--   ignored      list of numbers that Mixpanel would drop: discarded, and never sent
--   opted_out    list of numbers about people who opted out: discarded, and never sent
--   noticed      {kind: {count, example}}: what Mixpanel does unasked with those delivered (`note`)
--   unconfirmed  how many of those delivered its answer does not confirm
--   move         {lane, numbers}: to the end of another lane
--   rest         "keep", "park" or "back": what happens to members without a verdict
--   park         {delay (ms), counts, ambiguous, error, status, cornered,
--                 pause {kind, base, cap, jitter, at_least (ms)}}
--   exhausts     the cornered head that this acceptance convicts, with the trial's other rivals
--   request      what the request was like, where one was made (`measure`)
--   refusals     how often Redis refused this settlement before
--   behind       the whole trial holds its rivals' profiles: it waits behind the head
--   tells        Q's own slot is another, and is to be told what this means for destinations
--   keep         {token, sent (ms), bytes}: a copy of what was delivered is kept (_kept.lua)
--   elsewhere    {destination: batches leased in the other partitions}, for the pace of a pause
--   passed       when the destination last accepted something, as Q's own slot says, by its clock
-- Answer  "done", "already" (asked twice), "lost" (no longer the worker's; nothing changed);
--         behind the first two, where there are any, the words for Q's own slot (report.lua)
-- As LATENCY_BOUNDS in measures.py.
local LATENCIES = { 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400 }
local id, claim, op, plan = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local before = answered(op)
if before then return already(before) end
local state = owned(id, claim)
if not state then
  tally("lost", 1)
  answer(op, "lost")
  return "lost"
end

local function expect_rivals()
  for _, rival in ipairs(plan.exhausts and state.rivals or {}) do
    local head = load(rival)
    local wrong = head and (expect_batch(rival, head)
      or expect_indexes({ { reason = "exhausted", status = head.status } }))
    if wrong then return wrong end
  end
end
local wrong = expect_batch(id, state) or expect_line(state.lane, plan.destination)
  or expect_indexes(plan.dead or {}) or expect_rivals()
  or expect_notices(plan.noticed)
  or (plan.destination and expect("hash", key("pause:" .. plan.destination)))
  or (plan.keep and expect_kept(plan.keep.token))
  or (plan.park and plan.park.cornered
    and expect_indexes({ { reason = "exhausted", status = plan.park.status } }))
if wrong then return wrong end
if plan.park and plan.park.pause and not (plan.destination or state.destination) then
  return redis.error_reply("ERR a pause needs a destination; batch " .. id .. " has none")
end

news = plan.tells and {}
leased_elsewhere = plan.elsewhere or {}
measure(plan.request)
tally("settle_failures", plan.refusals or 0)

local attempts = state.attempts + (plan.sent and 1 or 0)
state.attempts = attempts
if plan.sent then state.sending = nil end
if plan.destination then
  if plan.destination ~= state.destination then state.own = plan.own end
  redirect(id, state, plan.destination)
end

local function forget(members, what)
  for _, member in ipairs(members) do
    local number, _, replays = head_of(member)
    if replays > 0 then forget_history(number, what) end
  end
end

local function verdicts()
  local of = {}
  if type(plan.delivered) == "table" then
    for _, number in ipairs(plan.delivered) do of[number] = "delivered" end
  end
  for _, number in ipairs(plan.move and plan.move.numbers or {}) do of[number] = "move" end
  for _, number in ipairs(plan.ignored or {}) do of[number] = "ignored" end
  for _, number in ipairs(plan.opted_out or {}) do of[number] = "opted_out" end
  for _, dead in ipairs(plan.dead or {}) do of[dead.number] = dead end
  return of
end

local function carry_out()
  local of, delivered, moved, ignored, left, opted_out = verdicts(), {}, {}, {}, {}, {}
  for _, member in ipairs(members_of(id)) do
    local verdict = of[head_of(member)]
    if verdict == "move" then
      moved[#moved + 1] = member
    elseif verdict == "ignored" then
      ignored[#ignored + 1] = member
    elseif verdict == "opted_out" then
      opted_out[#opted_out + 1] = member
    elseif type(verdict) == "table" then
      verdict.attempts = attempts - (verdict.unsent and plan.sent and 1 or 0)
      bury(member, state.lane, verdict)
    elseif verdict == "delivered" or plan.delivered == "all" then
      delivered[#delivered + 1] = member
    else
      left[#left + 1] = member
    end
  end
  if plan.move then push("RPUSH", key("lane:" .. plan.move.lane), moved) end
  forget(delivered, "delivered")
  forget(ignored, "gone")
  forget(opted_out, "gone")
  tally("discarded", #opted_out)
  tally("discarded:opted_out", #opted_out)
  count_ignored(ignored)
  return #delivered, left, delivered
end

local function all_delivered()
  if state.replayed then forget(members_of(id), "delivered") end
  return redis.call("LLEN", key("batch:" .. id)), {}
end

-- What is said of the destination, here and in Q's own slot.
local function word(what, more)
  more.what, more.id, more.lane, more.own = what, id, state.lane, state.own
  more.destination, more.probe = state.destination, state.probe
  return tell(more)
end

local function accept()
  local pace = pace_of(state.destination)
  if reopen(word("accepted", { held = pace and pace.held })) then state.probe = nil end
end

-- When others passed is told by Q's own slot, and by its clock: so it is only compared with
-- what it said before. Where it did not answer, those of this partition count.
local function others_passed()
  local seen = state.seen
  if plan.passed and seen then
    return seen.destination == state.destination and seen.passed ~= plan.passed
  end
  local accepted = redis.call("HGET", key("accepted"), state.destination)
  return accepted and state.failed_at and tonumber(accepted) > state.failed_at
end

-- Others passed since this batch last failed: the batch is to blame, not the destination.
local function fails_alone(pause) return pause.kind ~= "configuration" and others_passed() end

local function pause_for(park)
  local ends = pause_destination(word("failed", {
    pause = park.pause, error = park.error, status = park.status,
  }))
  state.probe = nil
  return ends
end

local function park_rest(park)
  local due = later(park.delay or 0)
  local alone = park.pause and fails_alone(park.pause)
  if alone then
    state.streak = (state.streak or 0) + 1
    due = later(backoff(park.pause, state.streak))
  elseif park.pause then
    state.streak = nil
  end
  if park.pause and (not alone or park.status == RATE_LIMITED) then
    due = math.max(due, pause_for(park))
  end
  if park.counts then state.failures = state.failures + 1 end
  if park.ambiguous then state.ambiguous = true end
  if plan.sent or park.pause then
    state.failed_at = STEADY
    state.seen = plan.passed and { destination = state.destination, passed = plan.passed }
  end
  state.error, state.status = park.error, park.status
  state.cornered = park.cornered and "untried" or nil
  return due
end

-- A lone message of a parallel lane, at its limit, while others pass: it is to blame. (An
-- ordered lane finds that out by a trial.)
local function convicted(park, left)
  return park.cornered and park.pause and #left == 1 and not ORDERED[state.lane]
    and fails_alone(park.pause)
end

local function convict(park, member)
  bury(member, state.lane, {
    reason = "exhausted", status = park.status, error = park.error, attempts = attempts,
  })
  release_probe(id, state)
  finish(id, state)
end

-- A trial that failed too: the head has its next try before another trial.
local function end_trial()
  local rival = state.rivals and state.rivals[1]
  local head = rival and load(rival)
  if head and head.cornered then
    head.cornered = "tried"
    save(rival, head)
  end
  state.rivals = nil
end

-- Nothing is known about it yet, so it can wait in its lane as if never taken.
local function can_go_home()
  local new = state.attempts == 0 and state.deaths == 0 and not (state.part or state.behind)
  if not new or not ORDERED[state.lane] then return new end
  return not state.line and redis.call("LLEN", line_key(state.lane)) == 1
end

-- The batch before this one, if both wait behind the head and neither was ever sent.
local function neighbour()
  local before
  for _, other in ipairs(redis.call("LRANGE", line_key(state.lane, state.line), 0, TRIALS_BEHIND)) do
    if other == id then break end
    before = other
  end
  local joined = before and load(before)
  if joined and joined.behind == state.behind and joined.destination == state.destination
    and joined.attempts + joined.deaths + state.attempts + state.deaths == 0 then
    return before, joined
  end
end

-- Updates of one busy profile must not fill the places behind the head one by one.
local function join_behind(left)
  local before, joined = neighbour()
  if not before or not fit_together(members_of(before), left) then return false end
  push("RPUSH", key("batch:" .. before), left)
  joined.replayed = joined.replayed or state.replayed
  save(before, joined)
  finish(id, state)
  return true
end

local function give_back(left)
  release_probe(id, state)
  state.rivals = nil
  if state.behind and join_behind(left) then return end
  if not can_go_home() then return park(id, state, STEADY) end
  local reversed = {}
  for i = #left, 1, -1 do reversed[#reversed + 1] = left[i] end
  push("LPUSH", key("lane:" .. state.lane), reversed)
  finish(id, state)
end

-- Where it goes is known by now, if it was not before.
local function park_in_line(due)
  if not ORDERED[state.lane] then
    local unsent = not (plan.sent or plan.accepted or plan.park.pause)
    if unsent and plan.destination and is_closed(plan.destination) then
      return wait_closed(id, state, due)
    end
    return park(id, state, due)
  end
  local line = plan.destination
  if not line or state.line == line then return park(id, state, due) end
  leave_line(id, state)
  line_up(id, state, line, due)
end

local function exhaust(head_id)
  local head = load(head_id)
  if not (head and head.cornered and not head.claim) then return end
  for _, member in ipairs(members_of(head_id)) do
    bury(member, head.lane, {
      reason = "exhausted", status = head.status, error = head.error, attempts = head.attempts,
    })
  end
  finish(head_id, head)
end

-- From receipt to acceptance, by the batch's oldest message. What was replayed was received
-- in another time, and would tell how long an operator slept.
local function measure_latency(messages)
  if state.replayed or messages == 0 or not state.oldest then return end
  local ms, bucket = math.max(NOW - state.oldest, 0), "inf"
  for _, bound in ipairs(LATENCIES) do
    if ms <= bound * 1000 then
      bucket = string.format("%g", bound)
      break
    end
  end
  tally("latency:" .. bucket, messages)
  tally("latency:sum", ms * messages)
end

local function end_batch(count, delivered)
  release_probe(id, state)
  if not plan.keep or count == 0 then return finish(id, state) end
  if delivered then replace_members(id, delivered) end
  finish(id, state, true)
  keep(id, state, plan.keep, count)
end

local count, left, delivered
if plan.delivered == "all" and not (plan.dead or plan.move or plan.ignored or plan.opted_out) then
  count, left = all_delivered()
else
  count, left, delivered = carry_out()
end
tally("delivered", count)
tally("delivered:" .. state.lane, count)
tally("unconfirmed", plan.unconfirmed or 0)
note(plan.noticed, state.lane)
measure_latency(count)
if plan.accepted and state.destination then accept() end
if plan.exhausts and state.rivals and plan.exhausts == state.rivals[1] then
  for _, rival in ipairs(state.rivals) do exhaust(rival) end
end
if plan.behind then state.behind = state.rivals and state.rivals[1] end

if #left == 0 then
  end_batch(count, delivered)
else
  replace_members(id, left)
  if plan.rest == "park" and convicted(plan.park, left) then
    convict(plan.park, left[1])
  elseif plan.rest == "park" then
    local due = park_rest(plan.park)
    end_trial()
    release_probe(id, state)
    park_in_line(due)
  elseif plan.rest == "back" then
    give_back(left)
  else
    save(id, state)
  end
end
return done(op)
