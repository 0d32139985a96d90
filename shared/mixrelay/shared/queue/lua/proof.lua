-- Writes down what an answer of `/import` says about a token, and what follows at once: a refusal
-- opens the circuits of all its destinations, a proof ends them.
-- ARGV  token's fingerprint, "proven", "refused" or "silent", JSON:
--   masked, base, own
--   alone     proven: it is the only token of the worker's own
--   returned  proven: copies of what was sent before a refusal are back in their lanes
--   status, error, likelier, elsewhere   refused: as in _tokens.lua
--   amends    refused: only what is said about it
--   opens     refused: list of {destination, lane}; empty where its messages become dead letters
--   pause     {base, cap, jitter}: until it is proven again (ms)
-- Answer  what it was before: "proven", "refused", "unproven" or "none"; where that is "refused"
--         and a proof does not say `returned`, nothing was changed
local name, outcome, facts = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local SILENT_BASE_MS, SILENT_CAP_MS = 30000, 600000
local wrong = expect_tokens(name)
for _, one in ipairs(facts.opens or {}) do
  wrong = wrong or expect("hash", key("pause:" .. one.destination))
end
if wrong then return wrong end

local before = token_of(name) or {}
local was_refused = before.state == "refused"

local function note(state)
  local token = {
    state = state, at = NOW, since = before.state == state and before.since or NOW,
    masked = facts.masked, base = facts.base, own = facts.own or false,
    asked = state == "refused" and NOW or nil,
  }
  return token
end

local function prove()
  save_token(name, note("proven"))
  if before.state ~= "proven" then close_circuits(name) end
  forget_refusals({ name = name, base = facts.base, own = facts.own, alone = facts.alone })
end

local function stay_silent()
  local token = note("unproven")
  token.failures = (before.state == "unproven" and before.failures or 0) + 1
  token.error = facts.error
  token.again = later(backoff({ base = SILENT_BASE_MS, cap = SILENT_CAP_MS, jitter = 0 },
    token.failures))
  save_token(name, token)
end

local function amend()
  for _, field in ipairs({ "error", "likelier", "elsewhere" }) do
    before[field] = facts[field] or before[field]
  end
  save_token(name, before)
  for _, destination in ipairs(redis.call("SMEMBERS", key("pauses"))) do
    if redis.call("HGET", key("pause:" .. destination), "token") == name then
      redis.call("HSET", key("pause:" .. destination), "reason", before.error)
    end
  end
end

local function refuse()
  local token = note("refused")
  -- What a new answer leaves open, an older one may have told; silence tells nothing.
  local told = outcome == "refused" and facts or {}
  for _, field in ipairs({ "error", "likelier", "elsewhere", "status" }) do
    token[field] = told[field] or (was_refused and before[field]) or nil
  end
  token.status = token.status or 0
  token.buries = outcome == "refused" and #(facts.opens or {}) == 0
  -- Several that are refused in the same moment are one failure.
  local repeated = was_refused and before.again > STEADY
  token.failures = repeated and before.failures or (was_refused and before.failures or 0) + 1
  -- Letters that are replayed once the token is right must not die of an old refusal.
  local wait = token.buries and facts.pause.base or backoff(facts.pause, token.failures)
  token.again = repeated and before.again or later(wait)
  save_token(name, token)
  if facts.opens and #facts.opens > 0 then
    open_circuits(name, token, facts.opens)
  else
    close_circuits(name)
  end
end

if outcome == "proven" and was_refused and not facts.returned then return "refused" end
if outcome == "proven" then
  prove()
elseif facts.amends then
  if was_refused then amend() end
elseif outcome == "refused" or was_refused then
  refuse()
else
  stay_silent()
end
if not facts.amends then redis.call("DEL", key("proving:" .. name)) end
evict_tokens()
return before.state or "none"
