-- Parts a batch: members named in a part leave it for a batch of their own right
-- behind it, parked and due at once; the rest stays leased (split in
-- halves, one request a destination; docs/invariants.md, rule 4: a trial without the head's profile).
-- In an ordered lane what gets a destination goes to the end of that destination's line. Where
-- others wait there, or one is under way, so does what stays: then it is no longer leased.
-- ARGV  batch id, claim, op, JSON {strikes (true: a split after failures, whose count begins
--       anew), ambiguous (it was sent and no answer came), destination (of what stays), own,
--       request (what the request before it was like: `measure`),
--       behind (the parts hold the cornered head's profile),
--       home (the parts were never sent: in a parallel lane they go to its end),
--       tells (as in settle.lua), parts: list of {id, numbers, destination, own}}
-- Answer  "done", "waits" (nothing of it is leased any more; asked twice it says so again),
--         "already", "lost", with words for Q's own slot as in settle.lua
local id, claim, op, plan = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local before = answered(op)
if before then return already(before) end
local state = owned(id, claim)
if not state then return "lost" end
local wrong = expect_batch(id, state) or expect_line(state.lane, plan.destination)
for _, part in ipairs(plan.parts or {}) do
  wrong = wrong or expect_line(state.lane, part.destination)
end
if wrong then return wrong end

local part_of, groups = {}, {}
for i, part in ipairs(plan.parts or {}) do
  groups[i] = {}
  for _, number in ipairs(part.numbers or {}) do part_of[number] = i end
end
local stay = {}
for _, member in ipairs(members_of(id)) do
  local group = groups[part_of[head_of(member)]] or stay
  group[#group + 1] = member
end
if #stay == 0 then return redis.error_reply("ERR a divided batch must keep a member") end

news = plan.tells and {}
measure(plan.request)
if plan.ambiguous then state.ambiguous = true end
if plan.strikes then state.failures, state.part = 0, true end
if plan.destination then
  redirect(id, state, plan.destination)
  state.own = plan.own
end
local goes_home = plan.home and not ORDERED[state.lane] and state.attempts + state.deaths == 0
  and not (state.part or state.ambiguous or state.suspect)
local ahead = id
for i, part in ipairs(plan.parts or {}) do
  if #groups[i] > 0 and goes_home then
    push("RPUSH", key("lane:" .. state.lane), groups[i])
  elseif #groups[i] > 0 then
    local changes = { behind = plan.behind and state.rivals and state.rivals[1] }
    if part.destination then
      changes.destination, changes.own = part.destination, part.own or false
    end
    if ORDERED[state.lane] and part.destination then
      line_up(part.id, make_part(state, part.id, groups[i], changes), part.destination, STEADY)
    elseif part.destination and not ORDERED[state.lane] and is_closed(part.destination) then
      wait_closed(part.id, make_part(state, part.id, groups[i], changes), STEADY)
    else
      part_off(ahead, state, part.id, groups[i], changes)
      ahead = part.id
    end
  end
end
if plan.parts and #plan.parts > 0 then replace_members(id, stay) end
if plan.destination and ORDERED[state.lane] and state.line ~= plan.destination then
  if take_place(id, state, plan.destination) then return done(op, "waits") end
end
save(id, state)
return done(op)
