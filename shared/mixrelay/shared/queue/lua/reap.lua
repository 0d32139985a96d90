-- Ends leases: of everyone whose time is up, or of one owner at once, whose work-horse
-- died (docs/invariants.md, rules 2, 14). What was being sent may have arrived. A batch whose
-- worker died three times is halved at this and each further death, until the killer
-- stands alone and has killed twice alone.
-- Whoever ends what is overdue also ends pauses that nothing waits for, and forgets paces that
-- nothing changed for long.
-- ARGV  most batches, owner ("" for those whose time is up), 1 if it counts as a death,
--       1 where Q's own slot is another, the latest that it can be by the reaper's own clock ("": it
--       does not know): what is over later is left, since the server's may have been set ahead;
--       then the lanes in which something waits elsewhere
-- Answer  {batches, messages, words for Q's own slot (report.lua), the lanes in which something
--         waits here, the queue's time, what that has beside the server's clock (ms)}
local most, owner, died = tonumber(ARGV[1]), ARGV[2], ARGV[3] == "1"
local is_mirror = ARGV[4] == "1"
local latest = math.min(STEADY, tonumber(ARGV[5]) or math.huge)
local waits_elsewhere = {}
for i = 6, #ARGV do waits_elsewhere[ARGV[i]] = true end
local DEATHS_TOGETHER, DEATHS_ALONE = 3, 2
local PACE_KEPT_MS = 600000
local function halve(id, state, members)
  local middle = math.ceil(#members / 2)
  local part_id = id .. "-" .. state.deaths
  local halves = { {}, {} }
  for i, member in ipairs(members) do table.insert(halves[i <= middle and 1 or 2], member) end
  replace_members(id, halves[1])
  part_off(id, state, part_id, halves[2], {})
end

-- True where the batch is gone.
local function suspect(id, state, was_suspect)
  local members = members_of(id)
  state.suspect = true
  if #members > 1 then return halve(id, state, members) end
  if not was_suspect then return end
  state.deaths_alone = (state.deaths_alone or 0) + 1
  if state.deaths_alone < DEATHS_ALONE then return end
  bury(members[1], state.lane, {
    reason = "poison", attempts = state.attempts,
    error = "its worker died " .. state.deaths .. " times, the last " .. DEATHS_ALONE .. " with this message alone",
  })
  finish(id, state)
  return true
end

local function end_lease(id, state)
  local count = redis.call("LLEN", key("batch:" .. id))
  if state.sending then
    state.ambiguous = true
    state.attempts = state.attempts + 1
  end
  release_probe(id, state)
  state.rivals = nil
  if died then
    state.deaths = state.deaths + 1
    local was_suspect = state.suspect
    unlease(id, state)
    if (was_suspect or state.deaths >= DEATHS_TOGETHER) and suspect(id, state, was_suspect) then
      return count
    end
  end
  park(id, state, STEADY)
  tally("redelivered", count)
  tally("redelivered:" .. (owner == "" and "lease" or died and "death" or "stop"), count)
  return count
end

local ids = owner == "" and redis.call("ZRANGE", key("leases"), "-inf", latest, "BYSCORE", "LIMIT", 0, most)
  or redis.call("ZRANGE", key("leases"), 0, -1)
local ending = {}
local wrong = died and expect_indexes({ { reason = "poison" } })
for _, id in ipairs(ids) do
  local state = load(id)
  if state and (owner == "" or state.owner == owner) and #ending < most then
    wrong = wrong or expect_batch(id, state)
    ending[#ending + 1] = { id, state }
  end
end
wrong = wrong or expect("hash", key("loads"), key("loads:at"))
  or expect("string", key("accepted:scan"), key("loads:scan"))
if wrong then return wrong end
news = is_mirror and {} or nil

local function waits(lane)
  return redis.call("LLEN", key("lane:" .. lane)) + redis.call("ZCARD", key("parked:" .. lane)) > 0
end

local function lanes_that_wait()
  local found = {}
  for _, lane in ipairs(LANES) do
    if waits(lane) then found[#found + 1] = lane end
  end
  return found
end

-- A pause that is over and behind which nothing waits any more, in no partition: no acceptance
-- would end it.
local function end_idle_pauses()
  for _, name in ipairs(redis.call("SMEMBERS", key("pauses"))) do
    local pause = redis.call("HMGET", key("pause:" .. name), "lane", "until", "probe_until")
    local lane, over = pause[1] or "", math.max(tonumber(pause[2] or 0), tonumber(pause[3] or 0))
    if over <= latest and not (waits_elsewhere[lane] or waits(lane)) then end_pause(name) end
  end
end

local function forget_paces()
  local paces = redis.call("HGETALL", key("paces"))
  for i = 1, #paces, 2 do
    if cjson.decode(paces[i + 1]).at < latest - PACE_KEPT_MS then
      redis.call("HDEL", key("paces"), paces[i])
    end
  end
end

local function forget_kept()
  local old = redis.call("ZRANGE", KEPT, "-inf", latest - KEPT_MS, "BYSCORE", "LIMIT", 0, 100)
  for _, id in ipairs(old) do drop_kept(id) end
end

if owner == "" then
  forget_kept()
  forget_accepted()
  forget_loads()
end
if owner == "" and not is_mirror then
  end_idle_pauses()
  forget_paces()
end
local messages = 0
for _, batch in ipairs(ending) do messages = messages + end_lease(batch[1], batch[2]) end
return { #ending, messages, news_text(), is_mirror and lanes_that_wait() or {},
  string.format("%d", STEADY), string.format("%d", offset) }
