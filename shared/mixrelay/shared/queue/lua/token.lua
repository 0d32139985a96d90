-- What is known of a token before something is sent under it, and who proves it if nobody did
-- lately: one in the fleet, the others wait for its answer.
-- ARGV  token's fingerprint, who asks, ms that its proof may take, ms that evidence holds,
--       1 if whoever does not prove waits also where there is older evidence,
--       1 to look only: nobody proves, unless the token is refused
-- Answer  {what, state JSON or "", ms}: what is
--   "proven"    there is evidence
--   "unproven"  the last proof got no answer, or nobody looked yet (only with "look only")
--   "refused"   and nobody may try again before
--   "prove"     whoever asked proves now
--   "wait"      another proves: ask again in so many ms
local PROOFS_A_SECOND = 10
local name, who, proof_ms, within = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local insists, looks = ARGV[5] == "1", ARGV[6] == "1"
local WAIT_MS, BUSY_MS, ASKED_EVERY_MS = 50, 500, 10000
local wrong = expect_tokens(name)
if wrong then return wrong end

local token = token_of(name)
local text = token and cjson.encode(token) or ""
local state = token and token.state
if state == "refused" and NOW - (token.asked or 0) > ASKED_EVERY_MS then
  token.asked = NOW
  save_token(name, token)
end
if state == "proven" and NOW - token.at < within then return { "proven", text, 0 } end
if looks and state ~= "refused" then return { state or "unproven", text, 0 } end
local rests = state == "refused" or (state == "unproven" and not insists)
if rests and token.again > NOW then return { state, text, token.again - NOW } end

local proving = redis.call("GET", key("proving:" .. name))
if proving and proving ~= who then
  -- Older evidence is good enough while another looks for newer, unless messages die of it.
  if state and not (insists or token.buries) then return { state, text, WAIT_MS } end
  return { "wait", text, WAIT_MS }
end
if not proving then
  local proofs = redis.call("INCR", key("proofs"))
  if proofs == 1 then redis.call("EXPIRE", key("proofs"), 1) end
  if proofs > PROOFS_A_SECOND then return { "wait", text, BUSY_MS } end
end
redis.call("SET", key("proving:" .. name), who, "PX", proof_ms)
return { "prove", text, 0 }
