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
local PROOFS_A_SECOND, PROOFS_KEPT_MS = 10, 2000
local name, who, proof_ms, within = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local insists, looks = ARGV[5] == "1", ARGV[6] == "1"
local WAIT_MS, BUSY_MS, ASKED_EVERY_MS = 50, 500, 10000
local wrong = expect_tokens(name)
if wrong then return wrong end

local token = token_of(name)
local text = token and cjson.encode(token) or ""
local state = token and token.state
if state == "refused" and math.abs(NOW - (token.asked or 0)) > ASKED_EVERY_MS then
  token.asked = NOW
  save_token(name, token)
end
if state == "proven" and math.abs(NOW - token.at) < within then return { "proven", text, 0 } end
if looks and state ~= "refused" then return { state or "unproven", text, 0 } end
local rests = state == "refused" or (state == "unproven" and not insists)
if rests and token.again > STEADY then return { state, text, token.again - STEADY } end

-- Who proves, and until when by the queue's clock: a key's own end is by the server's.
local proving, ends = string.match(redis.call("GET", key("proving:" .. name)) or "", "^(%S+) ?(%d*)$")
if proving and (tonumber(ends) or math.huge) <= STEADY then proving = nil end
if proving and proving ~= who then
  -- Older evidence is good enough while another looks for newer, unless messages die of it.
  if state and not (insists or token.buries) then return { state, text, WAIT_MS } end
  return { "wait", text, WAIT_MS }
end
if not proving then
  local second = math.floor(STEADY / 1000)
  local of, proofs = string.match(redis.call("GET", key("proofs")) or "", "^(%d+) (%d+)$")
  proofs = tonumber(of) == second and proofs + 1 or 1
  if proofs > PROOFS_A_SECOND then return { "wait", text, BUSY_MS } end
  redis.call("SET", key("proofs"), string.format("%d %d", second, proofs), "PX", PROOFS_KEPT_MS)
end
redis.call("SET", key("proving:" .. name), who .. string.format(" %d", later(proof_ms)), "PX", proof_ms)
return { "prove", text, 0 }
