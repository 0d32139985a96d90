-- The lines of an ordered lane (docs/invariants.md, rule 3): its batches by where they go. A batch
-- gets its place in one once its records are read (divide.lua, settle.lua). In a parallel lane
-- only the batches that wait for a closed destination are told apart.
local JOINED_AT_MOST, JOINED_BYTES = 2000, 2097152
local BUSY_MS = 1000    -- until a line is looked at again of which a batch is leased

local function bytes_of(members)
  local bytes = 0
  for _, member in ipairs(members) do bytes = bytes + #member end
  return bytes
end

local function fit_together(some, more)
  return #some + #more <= JOINED_AT_MOST and bytes_of(some) + bytes_of(more) <= JOINED_BYTES
end

-- Nothing is known about it yet but where it goes.
local function is_new(state)
  return state.attempts + state.deaths + state.failures == 0 and not state.ambiguous
    and not (state.claim or state.part or state.suspect or state.cornered or state.behind)
end

-- Many small batches that wait for a closed destination become few. The last one keeps its size,
-- since its members are not read for each that joins it.
local function join(last, state, members)
  local joined = last and load(last)
  if not (joined and is_new(joined) and is_new(state)) then return false end
  if joined.destination ~= state.destination then return false end
  local bytes = (joined.bytes or bytes_of(members_of(last))) + bytes_of(members)
  local count = redis.call("LLEN", key("batch:" .. last)) + #members
  if count > JOINED_AT_MOST or bytes > JOINED_BYTES then return false end
  push("RPUSH", key("batch:" .. last), members)
  joined.bytes, joined.replayed = bytes, joined.replayed or state.replayed
  joined.oldest = math.min(joined.oldest, state.oldest)
  save(last, joined)
  return true
end

-- At the end of its destination's line, not leased.
local function line_up(id, state, line, due)
  unlease(id, state)
  state.line, state.destination = line, line
  local last = redis.call("LINDEX", line_key(state.lane, line), -1)
  if join(last, state, members_of(id)) then return finish(id, state) end
  redis.call("RPUSH", line_key(state.lane, line), id)
  park(id, state, due)
end

-- In a parallel lane, unsent, for a destination that is closed.
local function wait_closed(id, state, due)
  local waiting = key("waiting:" .. state.lane)
  unlease(id, state)
  if join(redis.call("HGET", waiting, state.destination), state, members_of(id)) then
    return finish(id, state)
  end
  if is_new(state) then
    if state.waiting then stop_waiting(id, state) end
    state.waiting = state.destination
    redis.call("HSET", waiting, state.destination, id)
  end
  park(id, state, due)
end

local function is_closed(name)
  return redis.call("EXISTS", key("pause:" .. name)) == 1
end

local function occupy(id, state)
  redis.call("HSET", key("busy:" .. state.lane), state.line, id)
  redis.call("ZADD", key("lines:" .. state.lane), later(BUSY_MS), state.line)
end

-- A leased batch was read: it goes on where it is the first of its line, else it waits there.
-- True where it waits.
local function take_place(id, state, line)
  leave_line(id, state)
  if redis.call("EXISTS", line_key(state.lane, line)) == 1 then
    release_probe(id, state)
    state.rivals = nil
    line_up(id, state, line, STEADY)
    return true
  end
  state.line = line
  redis.call("RPUSH", line_key(state.lane, line), id)
  occupy(id, state)
end
