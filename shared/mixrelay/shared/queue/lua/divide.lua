-- Parts a batch: members named in a part leave it for a batch of their own right
-- behind it, parked and due at once; the rest stays leased (split in
-- halves, one request a destination; docs/internals.md, rule 4: a trial without the head's profile).
-- ARGV  batch id, claim, op, JSON {strikes (true: a split after failures, whose count begins
--       anew), ambiguous (it was sent and no answer came), destination (of what stays), own,
--       request (what the request before it was like: `measure`),
--       behind (the parts hold the cornered head's profile),
--       tells (as in settle.lua), parts: list of {id, numbers, destination, own}}
-- Answer  "done", "already", "lost", with words for Q's own slot as in settle.lua
local id, claim, op, plan = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local before = answered(op)
if before then return already(before) end
local state = owned(id, claim)
if not state then return "lost" end
local wrong = expect_batch(id, state)
if wrong then return wrong end

local part_of, groups = {}, {}
for i, part in ipairs(plan.parts or {}) do
  groups[i] = {}
  for _, number in ipairs(part.numbers or {}) do part_of[number] = i end
end
local stay = {}
for _, member in ipairs(members_of(id)) do
  local group = groups[part_of[split_member(member)]] or stay
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
local ahead = id
for i, part in ipairs(plan.parts or {}) do
  if #groups[i] > 0 then
    if ORDERED[state.lane] then
      redis.call("LINSERT", key("order:" .. state.lane), "AFTER", ahead, part.id)
      ahead = part.id
    end
    local changes = { behind = plan.behind and state.rivals and state.rivals[1] }
    if part.destination then
      changes.destination, changes.own = part.destination, part.own or false
    end
    part_off(id, state, part.id, groups[i], changes)
  end
end
replace_members(id, stay)
save(id, state)
return done(op)
