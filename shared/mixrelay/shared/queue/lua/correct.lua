-- Replaces the messages of letters by corrected ones, in one step for each letter: it is corrected,
-- or as it was (docs/invariants.md, rules 1, 9). `send` also moves them to the end of their lanes.
-- `stage` leaves them letters, and names them to a bulk job that re-queues them; the message before
-- stays with them until they are delivered. `undo` puts that back into letters that are still
-- there, or there again. The message that was pushed goes with a letter's history and comes back
-- where it dies again.
-- ARGV  op, who, why, what was done to them, the filter as JSON ("" where letters were named),
--       "send", "stage" or "undo", the job ("" for none), then for each letter: its number, its
--       replays, SHA-1 of the message that was read, the new message, the old one in base64
-- Answer  {changed, no letters any more, changed by someone else meanwhile}
local op, who, why, what, filter, how, job = unpack(ARGV, 1, 7)
local FIRST, EACH, EDITS_KEPT = 8, 5, 20
local before = answered(op)
if before then return cjson.decode(before) end
local record = job ~= "" and redis.call("HGETALL", key("job:" .. job)) or {}

local function correct(letter, old)
  if how == "stage" then
    -- What was pushed is kept beside it, and need not be kept twice.
    letter.fixed = { job = job, before = letter.original and old or nil }
  elseif how == "undo" then
    if not letter.fixed.before then letter.original = nil end
    letter.fixed = nil
  else
    letter.fixed = nil
  end
  if how ~= "undo" then letter.original = letter.original or old end
  letter.edits = letter.edits or {}
  table.insert(letter.edits, {
    at = NOW, who = who, why = why == "" and what or why .. ": " .. what, restored = how == "undo" or nil,
  })
  if #letter.edits > EDITS_KEPT then table.remove(letter.edits, 1) end
end

local function is_as_it_was_read(letter, payload, replays, hash)
  if how == "undo" and (letter.fixed or {}).job ~= job then return false end
  return letter.replays == tonumber(replays) and redis.sha1hex(payload) == hash
end

local letters, payloads, gone, changed, seen = {}, {}, 0, 0, {}
for i = FIRST, #ARGV, EACH do
  local number, replays, hash, new, old = unpack(ARGV, i, i + EACH - 1)
  local found = not seen[number] and redis.call("HGET", key("letters"), number)
  seen[number] = true
  local letter, payload
  if found then letter, payload = parse_letter(found) end
  if not letter then
    gone = gone + 1
  elseif not is_as_it_was_read(letter, payload, replays, hash) then
    changed = changed + 1
  else
    correct(letter, old)
    letters[#letters + 1], payloads[#payloads + 1] = letter, new
  end
end
local wrong = expect_indexes(letters) or expect_audit()
  or (job ~= "" and (expect("hash", key("job:" .. job)) or expect("list", key("job:" .. job .. ":ids")) or expect("zset", key("jobs:live"))))
if wrong then return wrong end
if how == "stage" and #record == 0 then return redis.error_reply("ERR there is no job " .. job) end

local function put(letter, payload)
  redis.call("HSET", key("letters"), letter.id, cjson.encode(letter) .. "\n" .. payload)
end

if how == "send" then
  replay(letters, payloads)
else
  for i, letter in ipairs(letters) do put(letter, payloads[i]) end
end
if how == "stage" then
  push("RPUSH", key("job:" .. job .. ":ids"), numbers_of(letters))
  redis.call("HINCRBY", key("job:" .. job), "ids", #letters)
  redis.call("HINCRBY", key("job:" .. job), "planned", #letters)
  redis.call("ZADD", key("jobs:live"), "XX", later(0), job)
elseif how == "undo" and #record > 0 then
  redis.call("HINCRBY", key("job:" .. job), "undone", #letters)
end
tally("edited", #letters)
if #letters > 0 then
  local told = why == "" and what or why .. ": " .. what
  local did = how == "undo" and "undo" or "fix"
  audit(did, { who = who, why = told, count = #letters, filter = filter, job = job }, numbers_of(letters))
end
local answered_with = { #letters, gone, changed }
answer(op, cjson.encode(answered_with))
return answered_with
