-- Leases one batch of a lane to a worker: a parked one that is due, else a fresh
-- one from the lane (docs/invariants.md, rules 2, 3, 4, 12, 14). Asked again with the same
-- claim, it answers with the same batch. From a lane that an operator holds it leases none.
-- ARGV  lane, owner, claim, most records, most bytes, lease ms, linger ms,
--       destination that this worker's own records of the lane go to,
--       parked batches up to which a paused lane hands out fresh ones at once, and from which on
--       now and then; 0: it hands out none (lanes whose records have several destinations), 1 if the worker holds nothing,
--       what stands in Q's own slot, where that is another (gates.lua; "": it did not answer, and
--       the copy of it stands), JSON {destination: batches leased in the other partitions},
--       tuples of Q that are routed at most, where the lane has less than a batch (0: none), and
--       their bytes, a random id for a queue that has none, partition: what is the lane's own goes
--       into the batch at once, and so is moved once; the time by the worker's host
-- Answer  {"batch", id, state JSON, queue id, lengths joined by commas, the members by turns of some joined,
--          the first members of its rivals: the cornered head and what was cornered after it,
--          the destinations that have a pause or a pace, the lanes to which was routed, by the most}
--     or  {"none", ms to wait (-1: nothing there), 1 if a suspect waits for a worker that holds nothing,
--          the lanes to which was routed}
local lane, owner, claim = ARGV[1], ARGV[2], ARGV[3]
local most, most_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local lease_ms, linger = tonumber(ARGV[6]), tonumber(ARGV[7])
local destination, fresh_while_paused, alone = ARGV[8], tonumber(ARGV[9]), ARGV[10] == "1"
local gates = ARGV[11]
leased_elsewhere = cjson.decode(ARGV[12])
local routes, routes_bytes, new_id, partition = tonumber(ARGV[13]), tonumber(ARGV[14]), ARGV[15], ARGV[16]
local host = tonumber(ARGV[17]) or NOW
local routed_to = {}

local JOINED = 16       -- members in one text of the answer
local FEW, CHUNK = 2, 50  -- members read before their bytes are counted, first and at most
local LOOKED_AT = 64    -- parked batches, or lines, looked at in one call
local DEEP = 4          -- batches of a line from which on fresh ones are taken beside it
local AHEAD, AHEAD_MS = 32, 100     -- so many more batches than lines wait: how often they are
local HELD_MS = 2000    -- until a lane is looked at again that an operator holds
local FULL_MS = 250     -- until a destination is looked at again that has its fill of batches
local APART_MS = 60000  -- clocks apart by more: one is wrong, and nobody here knows which
local LANE, ORDER, PARKED = key("lane:" .. lane), key("order:" .. lane), key("parked:" .. lane)
local LINES, BUSY, LOOKED_AHEAD = key("lines:" .. lane), key("busy:" .. lane), key("ahead:" .. lane)

local wait, suspects = -1, 0
local function wait_for(ms)
  if wait < 0 or ms < wait then wait = math.max(ms, 1) end
end

-- Fresh ones were just taken although much waits. The key ends by itself, by the server's clock;
-- what it holds, by the queue's, says whether that is to be waited for.
local function looked_ahead()
  local ends = tonumber(redis.call("GET", LOOKED_AHEAD) or "")
  return ends and ends > STEADY
end

local function note_look_ahead()
  redis.call("SET", LOOKED_AHEAD, later(AHEAD_MS), "PX", AHEAD_MS)
end

-- Destinations to which only a batch that passed their gate is sent.
local function held_back()
  local names = redis.call("SMEMBERS", key("pauses"))
  for _, name in ipairs(redis.call("HKEYS", key("paces"))) do names[#names + 1] = name end
  return names
end

-- Few strings for the client to read, and none that Lua builds slowly: past its buffer of some
-- kilobytes a text costs four times as much.
local function joined(members)
  local texts = {}
  for i = 1, #members, JOINED do
    local last = math.min(i + JOINED - 1, #members)
    texts[#texts + 1] = i == last and members[i] or table.concat(members, "", i, last)
  end
  return texts
end

local function reply(id, state, members)
  local lengths = {}
  for i, member in ipairs(members) do lengths[i] = #member end
  local rivals = {}
  for _, rival in ipairs(state.rivals or {}) do
    -- An operator may have taken it out.
    rivals[#rivals + 1] = redis.call("LINDEX", key("batch:" .. rival), 0) or nil
  end
  return { "batch", id, cjson.encode(state), redis.call("GET", key("id")),
    table.concat(lengths, ","), joined(members), rivals, held_back(), routed_to }
end

local function lease(id, state, members, as_probe)
  redis.call("ZREM", PARKED, id)
  redis.call("ZADD", key("leases"), later(lease_ms), id)
  redis.call("HSET", key("claims"), claim, id)
  state.claim, state.owner, state.due, state.bytes = claim, owner, nil, nil
  if state.line then occupy(id, state) end
  if as_probe then
    state.probe = true
    let_probe(state.destination, id, lease_ms)
  end
  save(id, state)
  return reply(id, state, members)
end

local function hold_back(name)
  local pace = pace_of(name)
  if not pace or leased_to(name) < pace.limit then return false end
  if pace.held ~= pace.limit then
    pace.held = pace.limit
    save_pace(name, pace)
  end
  return true
end

-- Whether a destination has as many batches as its pace allows. (Ordered lanes have no pace:
-- they are one batch at a time.)
local looked_at = {}
local function is_full(name)
  if ORDERED[lane] then return false end
  if looked_at[name] == nil then looked_at[name] = hold_back(name) end
  return looked_at[name]
end

-- "open", "probe" (the pause is over: one may try), "last" (so, but this one failed last),
-- or nil, the time to look again, and whether it is only full
local function gate(name, id)
  if not name then return "open" end
  local closed = closed_until(name)
  if not closed then
    if not is_full(name) then return "open" end
    wait_for(FULL_MS)
    return nil, later(FULL_MS), true
  end
  if closed > STEADY then
    wait_for(closed - STEADY)
    return nil, closed
  end
  return redis.call("HGET", key("pause:" .. name), "last") == id and "last" or "probe"
end

-- What waits for credentials that this worker no longer uses is tried with the new ones at once.
local function outdated(state)
  return state.own and destination ~= "" and state.destination ~= destination
end

-- What killed its workers is for one that holds nothing else.
local function is_too_dangerous(state)
  if state.suspect and not alone then
    suspects = 1
    return true
  end
end

local function try_parked(id, state, even_last)
  if outdated(state) then
    state.destination = destination
  elseif state.due > STEADY then
    return wait_for(state.due - STEADY)
  end
  local open, closed = gate(state.destination, id)
  if not open then
    -- It makes room among those looked at for what goes elsewhere.
    redis.call("ZADD", PARKED, "GT", closed, id)
    return
  end
  if is_too_dangerous(state) then return end
  if open == "last" and not even_last then return nil, true end
  return lease(id, state, members_of(id), open ~= "open")
end

local function take_members(first)
  local taken, bytes, some = { first }, #first, FEW
  while #taken < most and bytes < most_bytes do
    local chunk = redis.call("LRANGE", LANE, #taken, math.min(#taken + some, most) - 1)
    for _, member in ipairs(chunk) do
      if bytes + #member > most_bytes then return taken, bytes end
      taken[#taken + 1] = member
      bytes = bytes + #member
    end
    if #chunk < some then break end
    some = math.min(some * 2, CHUNK)
  end
  return taken, bytes
end

local function any_replayed(members)
  if redis.call("EXISTS", key("history")) == 0 then return nil end
  for _, member in ipairs(members) do
    if not string.find(member, "^%S+ %d+ 0 ") then return true end
  end
end

-- A claim asked with again after its lease ran out may find the first one's batch still there.
local function unused_id()
  local id = claim
  while redis.call("EXISTS", key("batch:" .. id)) == 1 do id = id .. "'" end
  return id
end

-- The clocks as they stand when messages are first taken. By them the worker says what the time of
-- an event is that has none, or one that is ahead, and says so at each retry, however they are set
-- meanwhile: copies with two times would be two events to Mixpanel.
local function clocks()
  local ahead = host - NOW
  return math.min(host, NOW), ahead >= APART_MS and ahead or 0
end

-- Of this lane, just taken out of Q: in no list until `put_down`, or in a batch.
local passing = {}

local function look_into_list(enough)
  if routes == 0 then return end
  local lanes = take_out_of_list(routes, routes_bytes, new_id, partition, lane, enough)
  routes = 0
  for _, name in ipairs(LANES) do
    if #lanes[name] > 0 then routed_to[#routed_to + 1] = name end
  end
  table.sort(routed_to, function(one, other) return #lanes[one] > #lanes[other] end)
  passing, lanes[lane] = lanes[lane], {}
  for _, name in ipairs(LANES) do push("RPUSH", key("lane:" .. name), lanes[name]) end
end

local function put_down()
  push("RPUSH", LANE, passing)
  passing = {}
end

-- Adds to what was all that the lane had; what does not fit stays.
local function take_passing(taken, bytes)
  local rest = {}
  for _, member in ipairs(passing) do
    local fits = #taken == 0 or (#taken < most and bytes + #member <= most_bytes)
    if fits and #rest == 0 then
      taken[#taken + 1] = member
      bytes = bytes + #member
    else
      rest[#rest + 1] = member
    end
  end
  passing = rest
end

local function take_out(length, first)
  local members, bytes = {}, 0
  if first then
    members, bytes = take_members(first)
    redis.call("LTRIM", LANE, #members, -1)
  end
  if #members == length then take_passing(members, bytes) end
  return members
end

local function some_of(length)
  if length + #passing == 0 then return end
  local first = length > 0 and redis.call("LINDEX", LANE, 0)
  local _, received = head_of(first or passing[1])
  -- What comes from a time ahead (a failover, a file of another queue) would be waited for.
  local age = NOW - received
  if length + #passing < most and age >= 0 and age < linger then return wait_for(linger - age) end
  local name = destination ~= "" and destination or nil
  -- Once it is read, an ordered one waits in its destination's line.
  if ORDERED[lane] and name and closed_until(name) then name = nil end
  local open, _, full = gate(name, "")
  if full then return end
  -- Where its records go is not known here: some are handed out, and the worker sends none of
  -- them to a destination that is held back.
  if not open or not name and not ORDERED[lane] and #held_back() > 0 then
    if fresh_while_paused == 0 then return end
    local few = redis.call("HLEN", key("waiting:" .. lane)) + fresh_while_paused
    if redis.call("ZCARD", PARKED) >= few then
      if looked_ahead() then return wait_for(AHEAD_MS) end
      note_look_ahead()
    end
    open, name = "open", nil
  end
  local id, members = unused_id(), take_out(length, first)
  push("RPUSH", key("batch:" .. id), members)
  if ORDERED[lane] then redis.call("RPUSH", ORDER, id) end
  local present, host_ahead = clocks()
  return lease(id, {
    lane = lane, attempts = 0, failures = 0, deaths = 0, oldest = received,
    destination = name, own = name and true, replayed = any_replayed(members),
    present = present, host_ahead = host_ahead,
  }, members, open == "probe")
end

local function fresh()
  local length = redis.call("LLEN", LANE)
  if length < most then look_into_list(most - length) end
  -- A foreign value may stop it half way, and nothing takes back what was popped.
  local done, batch = pcall(some_of, length)
  put_down()
  if not done then error(batch, 0) end
  return batch
end

local function parallel()
  local last_failed
  local due = redis.call("ZRANGE", PARKED, 0, LOOKED_AT - 1)
  for _, id in ipairs(due) do
    local state = load(id)
    local batch, failed_last = try_parked(id, state)
    if batch then return batch end
    if failed_last then last_failed = last_failed or { id, state } end
  end
  return fresh() or (last_failed and try_parked(last_failed[1], last_failed[2], true))
end

-- Of what is not read yet one is under way in the whole fleet: it may hold anyone's records.
local function one_is_under_way()
  for _, id in ipairs(redis.call("LRANGE", ORDER, 0, TRIALS_BEHIND)) do
    if load(id).claim then return true end
  end
end

local function unread()
  if one_is_under_way() then return end
  local id = redis.call("LINDEX", ORDER, 0)
  local state = load(id)
  if outdated(state) then
    state.destination = destination
  elseif state.due > STEADY then
    return wait_for(state.due - STEADY)
  end
  if is_too_dangerous(state) then return end
  if state.destination and closed_until(state.destination) then
    state.destination, state.own = nil, nil
  end
  return lease(id, state, members_of(id))
end

-- A line that goes on will be done soon, and what is behind it in the lane then needs to be
-- read once only. A closed one is passed, and a long one.
local function some_line_goes_on()
  for line, id in pairs(hash(BUSY)) do
    local state = load(id)
    if state and state.claim and not state.probe
      and redis.call("LLEN", line_key(lane, line)) < DEEP then
      return true
    end
  end
end

local function next_of_lane(is_long)
  if redis.call("EXISTS", ORDER) == 1 then return unread() end
  if redis.call("EXISTS", LINES) == 1 and looked_ahead() then
    return wait_for(AHEAD_MS)
  end
  if some_line_goes_on() then return end
  local batch = fresh()
  if batch and (is_long or redis.call("ZCARD", PARKED) >= redis.call("ZCARD", LINES) + AHEAD) then
    note_look_ahead()
  end
  return batch
end

-- The head cannot be delivered although it stands alone. Is it the head, or Mixpanel?
-- The next batch of its line is tried in its place; the worker leaves out the head's own profile,
-- and those of trials that were cornered in their turn: two culprits must not vouch for each other.
local function trial(head, list)
  local rivals = { head }
  local waiting = redis.call("LRANGE", list, 1, TRIALS_BEHIND)
  for _, id in ipairs(waiting) do
    local state = load(id)
    if state.cornered then
      rivals[#rivals + 1] = id
    elseif state.behind ~= head then
      state.rivals = rivals
      return try_parked(id, state, true)
    end
  end
  -- What is not read yet may hold one.
  if #waiting < TRIALS_BEHIND then return next_of_lane() end
end

local function is_busy(line)
  local id = redis.call("HGET", BUSY, line)
  local state = id and load(id)
  return state and state.claim
end

local function first_of_line(line)
  local list = line_key(lane, line)
  local head = redis.call("LINDEX", list, 0)
  if not head then return end
  local state = load(head)
  if state.cornered == "untried" then
    local batch = trial(head, list)
    if batch then return batch end
  end
  return try_parked(head, state, true)
end

local function try_line(line)
  if is_busy(line) then
    redis.call("ZADD", LINES, later(BUSY_MS), line)
    return
  end
  local before = wait
  wait = -1
  local batch = first_of_line(line)
  if batch then return batch end
  -- Where a suspect is its first, it is looked at until a worker holds nothing.
  if wait > 0 then redis.call("ZADD", LINES, later(wait), line) end
  if before >= 0 then wait_for(before) end
end

local function wait_for_lines()
  local soon = redis.call("ZRANGE", LINES, "(" .. STEADY, "+inf", "BYSCORE", "LIMIT", 0, 8, "WITHSCORES")
  for i = 1, #soon, 2 do
    if redis.call("HEXISTS", BUSY, soon[i]) == 0 then return wait_for(tonumber(soon[i + 1]) - STEADY) end
  end
end

-- What waits for credentials that were replaced is looked at now (`outdated`).
local function note_home()
  local home = key("home:" .. lane)
  local former = redis.call("GET", home)
  if destination == "" or former == destination then return end
  if former then redis.call("ZADD", LINES, "XX", 0, former) end
  redis.call("SET", home, destination)
end

local function ordered()
  note_home()
  local due = redis.call("ZRANGE", LINES, "-inf", STEADY, "BYSCORE", "LIMIT", 0, LOOKED_AT)
  -- A long line must not keep the others' records in the lane.
  local is_long = due[1] and redis.call("LLEN", line_key(lane, due[1])) >= DEEP
  local batch = is_long and not looked_ahead() and next_of_lane(true)
  if batch then return batch end
  for _, line in ipairs(due) do
    batch = try_line(line)
    if batch then return batch end
  end
  batch = next_of_lane()
  if batch then return batch end
  wait_for_lines()
  if #due == LOOKED_AT then wait_for(1) end
end

local repeated = redis.call("HGET", key("claims"), claim)
if repeated then return reply(repeated, load(repeated), members_of(repeated)) end
local wrong = gates ~= "" and mirror(gates)
if wrong then return wrong end
if redis.call("HGET", key("held"), lane) then return { "none", HELD_MS, 0, {} } end
wrong = routes > 0 and expect_list()
if wrong then return wrong end
raise_schema()
local batch = ORDERED[lane] and ordered() or not ORDERED[lane] and parallel()
return batch or { "none", wait, suspects, routed_to }
