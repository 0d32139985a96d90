-- What every script stands on: the names of keys, the clock, the state of a
-- batch, the counters, and the burial of a letter. The loader puts it in front.
--
-- KEYS  Q     the list that anyone may RPUSH to
--       ROOT  "{Q}": every other key is ROOT:name, and so in Q's slot. Names are
--             made here, since ids of batches and destinations are only known here.
--       ROOT:nowhere  never exists (keys.py says why it is declared)
--
--   ROOT:id               string  the queue's own random id, made once
--   ROOT:number           string  the last number given to a message
--   ROOT:empty_at         string  when routing last left Q empty (ms)
--   ROOT:lane:<lane>      list    members, "<number> <received ms> <replays> <payload>"
--   ROOT:batch:<id>       list    the members of one batch
--   ROOT:batches          hash    batch id -> its state as JSON
--   ROOT:leases           zset    leased batches by the end of their lease
--   ROOT:parked:<lane>    zset    parked batches by the time they are due
--   ROOT:order:<lane>     list    batches of an ordered lane of which nobody has read yet where
--                                 their records go, in arrival order
--   ROOT:order:<lane>:<dest>  list    its batches that go to one destination: a line, in arrival
--                                 order. A batch's state names it as `line`
--   ROOT:lines:<lane>     zset    the lines that hold something, by when to look at them again
--   ROOT:busy:<lane>      hash    line -> its batch that is leased
--   ROOT:home:<lane>      string  where workers' own records of the lane go
--   ROOT:ahead:<lane>     string  fresh ones were just taken although much waits (reserve.lua)
--   ROOT:waiting:<lane>   hash    closed destination -> the batch of a parallel lane that new ones
--                                 for it join (_lines.lua); the batch's state says `waiting`
--   ROOT:claims           hash    a worker's claim -> the batch it was answered with
--   ROOT:pause:<dest>     hash    until when nobody sends there, and why
--   ROOT:pauses           set     the destinations that have such a hash
--   ROOT:former:<lane>    string  they were just looked through for those of former credentials
--   ROOT:held             hash    lane -> who holds it since when and why, as JSON (hold.lua)
--                                 Of all these Q's own slot has the true ones; that of Q.k has
--                                 copies (_mirror.lua)
--   ROOT:accepted         hash    destination -> when it last accepted something, for a day; or for
--                                 10 minutes where there are over 10,000 (_forget.lua)
--   ROOT:paces            hash    destination that is not trusted with every worker at once ->
--                                 JSON {limit (batches leased together), goal (the limit from
--                                 which on it grows slowly), passed (acceptances since it last
--                                 grew so), held (the limit at which it last held a batch back),
--                                 at (changed)}
--   ROOT:tokens           hash    fingerprint -> what is known of a project token (_tokens.lua);
--                                 proving:<token> string, who proves it; proofs string, the second
--                                 and how many began in it. In Q's own slot
--   ROOT:kept             zset    copies kept until there is evidence for their token; kept:<token>
--                                 likewise, kept:batches and kept:bytes hashes (_kept.lua)
--   ROOT:partitions       string  how many there are or ever were, in Q's own slot (announce.lua)
--   ROOT:letters          hash    number -> the letter's meta as JSON, newline, payload
--   ROOT:dead             zset    letters by time of burial; dead:reason:<r>,
--                                 dead:status:<s> and dead:type:<t> likewise
--                                 dead:group:<r>|<s>|<t> is those of a group
--   ROOT:dead:order       zset    letters of ordered lanes as "<place> <number>", by place (place_of)
--   ROOT:sorting          zset    is there within a script only (by_place)
--   ROOT:importing:<file> string  the number that stands for a file of letters in their places
--   ROOT:dead:counts      hash    "reason|status|type" -> letters
--   ROOT:history          hash    number -> the deaths of a letter now replayed
--   ROOT:loads            hash    a log's name -> how far it was put into Q (load.lua), for 90 days
--                                 after the last of it; loads:at when that was (_forget.lua)
--   ROOT:jobs             zset    bulk jobs by their creation; jobs:live those that are not
--                                 over, by when one last heard of them (_jobs.lua)
--   ROOT:job:<id>         hash    one bulk job; job:<id>:ids list, the letters it names
--   ROOT:audit            stream  who moved or changed which letters, and why (_audit.lua)
--   ROOT:alerts           hash    an alert that fires -> since when, and who tells (alert.lua)
--   ROOT:retention        hash    the limits that workers were told last (expire.lua)
--   ROOT:clock            string  "<the latest time seen> <what STEADY has beside the server's clock>
--                                 <when the server's was set last> <by how much>", ms
--   ROOT:schema           string  the form in which all of this is kept
--   ROOT:mending          string  how far letters are put into the indexes of this form
--   ROOT:totals           hash    counters since the queue began
--   ROOT:minute:<n>       hash    the same counters within one minute, kept a day
--   ROOT:done:<op>        string  the answer already given to a move, kept 10 minutes
local Q, ROOT = KEYS[1], KEYS[2]

local LANES = { "event", "import", "profile_update", "group_update", "odd" }
local ORDERED = { profile_update = true, group_update = true }
local KINDS = { "event", "import", "profile_update", "group_update", "unknown" }
local KIND_OF = {
  event = "event", events = "event", ["/track"] = "event",
  import = "import", imports = "import", ["/import"] = "import",
  profile_update = "profile_update", people = "profile_update", ["/engage"] = "profile_update",
  group_update = "group_update", groups = "group_update", ["/groups"] = "group_update",
}
-- unpack() fails at about 8,000 values: every slice stays far below.
local SLICE = 1000
local DONE_MS = 600000
local MINUTE_KEPT_S = 90000
-- Batches set aside behind a cornered head before it counts as an outage.
local TRIALS_BEHIND = 8

-- What wrote 1 (mixrelay 0.1) knew no number. 2: letters have an index for each group. 3: batches
-- of an ordered lane stand in lines, letters of one have an index by place, and waits go by the
-- queue's own clock. Each program reads what those before it wrote.
local SCHEMA = 3

local function key(name) return ROOT .. ":" .. name end

local function clock()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local NOW = clock()

-- A script is not rolled back when a command in it fails. So what it is about to
-- write to is looked at first, and a foreign value there stops it untouched.
local function expect(kind, ...)
  for _, name in ipairs({ ... }) do
    local found = redis.call("TYPE", name).ok
    if found ~= "none" and found ~= kind then
      return redis.error_reply("WRONGTYPE key '" .. name .. "' holds a " .. found .. ", not a " .. kind)
    end
  end
end

local FIXED = {
  string = { "id", "number", "empty_at", "schema", "mending", "partitions", "clock" },
  hash = { "batches", "claims", "letters", "dead:counts", "history", "totals", "accepted",
    "paces", "held" },
  zset = { "leases", "dead", "dead:order" }, set = { "pauses" }, list = {},
}
for _, lane in ipairs(LANES) do
  table.insert(FIXED.list, "lane:" .. lane)
  table.insert(FIXED.list, "order:" .. lane)
  table.insert(FIXED.zset, "parked:" .. lane)
  if ORDERED[lane] then
    table.insert(FIXED.zset, "lines:" .. lane)
    table.insert(FIXED.hash, "busy:" .. lane)
  else
    table.insert(FIXED.hash, "waiting:" .. lane)
  end
end
for _, kind in ipairs(KINDS) do
  table.insert(FIXED.zset, "dead:type:" .. kind)
end
table.insert(FIXED.hash, "minute:" .. math.floor(NOW / 60000))

-- Here once for all scripts; what their arguments name they look at themselves.
for kind, names in pairs(FIXED) do
  for i, name in ipairs(names) do names[i] = key(name) end
  local wrong = expect(kind, unpack(names))
  if wrong then return wrong end
end

-- An older program among newer ones stands still rather than spoil what it does not know.
local schema = tonumber(redis.call("GET", key("schema")) or 0) or 0
if schema > SCHEMA then
  return redis.error_reply("SCHEMA " .. schema .. " is the form of this queue, and this program knows up to " .. SCHEMA)
end

-- Waits, leases and turns go by the queue's own clock, STEADY, which goes on where the server's is
-- set, or a replica with another one takes over. What people see, and when a message was received,
-- is NOW. A clock that was set back is found here, since time was seen that lies ahead; one that
-- was set ahead is found by workers (clock.lua): here nobody knows how long it was.
local STEP_MS, SEEN_EVERY_MS = 1000, 250
local seen, offset, stepped_at, stepped_by = 0, 0, 0, 0
do
  local known = { string.match(redis.call("GET", key("clock")) or "", "^(%d+) (%-?%d+) (%d+) (%-?%d+)$") }
  if #known == 4 then
    seen, offset = tonumber(known[1]), tonumber(known[2])
    stepped_at, stepped_by = tonumber(known[3]), tonumber(known[4])
  end
end

local function clock_text()
  return string.format("%d %d %d %d", seen, offset, stepped_at, stepped_by)
end

if seen > NOW + STEP_MS then
  offset, stepped_at, stepped_by = offset + seen - NOW, NOW, NOW - seen
  seen = NOW
  -- Who may only look sees it so, and leaves the noting to others.
  local noted = redis.pcall("SET", key("clock"), clock_text())
  if not noted.err then redis.pcall("HINCRBY", key("totals"), "clock_steps", 1) end
end
local STEADY = NOW + offset

-- The end of a wait. Of the clock that it goes by the latest time is kept.
local function later(ms)
  if NOW - seen >= SEEN_EVERY_MS then
    seen = NOW
    redis.call("SET", key("clock"), clock_text())
  end
  return STEADY + ms
end

-- Before the first thing is written that an older program would misread. What it left is put into
-- this form's indexes by mend.lua.
local function raise_schema()
  if schema == SCHEMA then return end
  if redis.call("EXISTS", key("letters")) == 1 then
    redis.call("SET", key("mending"), '{"cursor":"0"}')
  end
  redis.call("SET", key("schema"), SCHEMA)
  schema = SCHEMA
end

-- The list in which a batch of an ordered lane has its place.
local function line_key(lane, line) return key("order:" .. lane .. (line and ":" .. line or "")) end

local function expect_line(lane, line)
  if ORDERED[lane] and line then return expect("list", line_key(lane, line)) end
end

local function expect_batch(id, state)
  return expect("list", key("batch:" .. id)) or expect_line(state.lane, state.line)
    or (state.destination and expect("hash", key("pause:" .. state.destination)))
end

local function hash(name)
  local flat, found = redis.call("HGETALL", name), {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

local function push(command, name, values, from)
  for first = from or 1, #values, SLICE do
    redis.call(command, name, unpack(values, first, math.min(first + SLICE - 1, #values)))
  end
end

local is_minute_kept
local function tally(field, by)
  if by == 0 then return end
  local minute = key("minute:" .. math.floor(NOW / 60000))
  redis.call("HINCRBY", key("totals"), field, by)
  redis.call("HINCRBY", minute, field, by)
  -- Once is enough for a script, which may count hundreds of letters one by one.
  if not is_minute_kept then redis.call("EXPIRE", minute, MINUTE_KEPT_S) end
  is_minute_kept = true
end

-- What one request to Mixpanel was like: {endpoint, class of status, bucket of seconds, ms,
-- bucket of size, records}. Buckets are named as `measures.py` names them.
local function measure(request)
  if not request then return end
  local endpoint, class, seconds, ms, size, records = unpack(request)
  tally("requests:" .. endpoint .. ":" .. class, 1)
  tally("seconds:" .. endpoint .. ":" .. seconds, 1)
  tally("seconds:" .. endpoint .. ":sum", ms)
  tally("size:" .. endpoint .. ":" .. size, 1)
  tally("size:" .. endpoint .. ":sum", records)
end

-- A move whose reply was lost is asked for again under the same op.
local function answered(op) return redis.call("GET", key("done:" .. op)) end
local function answer(op, text) redis.call("SET", key("done:" .. op), text, "PX", DONE_MS) end

-- What a move on Q.k means for a destination, for Q's own slot to be told (report.lua). Nil in
-- that slot itself, where nobody needs to be told.
local news
local function tell(item)
  if news then news[#news + 1] = item end
  return item
end
local function news_text() return news and #news > 0 and cjson.encode(news) or "" end

-- "done", or another word, and behind it the news.
local function done(op, word)
  local text = news_text()
  text = (word or "done") .. (text == "" and "" or " " .. text)
  answer(op, text)
  return text
end
local function already(before) return (string.gsub(before, "^done", "already")) end

-- Of a member of megabytes the payload is not copied where only its head is asked for.
local function head_of(member)
  local number, received, replays = string.match(member, "^(%S+) (%d+) (%d+) ")
  return number, tonumber(received), tonumber(replays)
end

local function split_member(member)
  local number, received, replays, at = string.match(member, "^(%S+) (%d+) (%d+) ()")
  return number, tonumber(received), tonumber(replays), string.sub(member, at)
end

local function load(id)
  local state = redis.call("HGET", key("batches"), id)
  return state and cjson.decode(state)
end

local function save(id, state) redis.call("HSET", key("batches"), id, cjson.encode(state)) end

local function owned(id, claim)
  local state = load(id)
  return state and state.claim == claim and state
end

-- Another may probe since its lease ran out: then nothing is its to release.
local function release(name, id)
  local pause = key("pause:" .. name)
  if redis.call("HGET", pause, "probe") == id then
    redis.call("HDEL", pause, "probe", "probe_until")
  end
end

local function release_probe(id, state)
  if not state.probe then return end
  release(state.destination, id)
  tell({ what = "released", id = id, destination = state.destination })
  state.probe = nil
end

local function end_pause(name)
  redis.call("DEL", key("pause:" .. name))
  redis.call("SREM", key("pauses"), name)
  for lane in pairs(ORDERED) do redis.call("ZADD", key("lines:" .. lane), "XX", STEADY, name) end
end

local function redirect(id, state, destination)
  if state.destination ~= destination then release_probe(id, state) end
  state.destination = destination
end

-- Something changed in a line: it is looked at again, or is no more.
local function touch_line(lane, line)
  if not (ORDERED[lane] and line) then return end
  if redis.call("EXISTS", line_key(lane, line)) == 1 then
    redis.call("ZADD", key("lines:" .. lane), STEADY, line)
  else
    redis.call("ZREM", key("lines:" .. lane), line)
  end
end

local function free_line(id, state)
  if state.line and redis.call("HGET", key("busy:" .. state.lane), state.line) == id then
    redis.call("HDEL", key("busy:" .. state.lane), state.line)
  end
end

local function leave_line(id, state)
  free_line(id, state)
  redis.call("LREM", line_key(state.lane, state.line), 1, id)
  touch_line(state.lane, state.line)
end

local function unlease(id, state)
  free_line(id, state)
  redis.call("ZREM", key("leases"), id)
  if state.claim then redis.call("HDEL", key("claims"), state.claim) end
  state.claim, state.owner, state.sending = nil, nil, nil
end

local function park(id, state, due)
  unlease(id, state)
  state.due = due
  redis.call("ZADD", key("parked:" .. state.lane), due, id)
  save(id, state)
  touch_line(state.lane, state.line)
end

local function stop_waiting(id, state)
  local waiting = key("waiting:" .. state.lane)
  if redis.call("HGET", waiting, state.waiting) == id then
    redis.call("HDEL", waiting, state.waiting)
  end
  state.waiting = nil
end

-- `stays`: its list is kept as a copy (_kept.lua).
local function finish(id, state, stays)
  unlease(id, state)
  if not stays then redis.call("UNLINK", key("batch:" .. id)) end
  redis.call("HDEL", key("batches"), id)
  redis.call("ZREM", key("parked:" .. state.lane), id)
  if ORDERED[state.lane] then leave_line(id, state) end
  if state.waiting then stop_waiting(id, state) end
end

local function members_of(id) return redis.call("LRANGE", key("batch:" .. id), 0, -1) end

local function replace_members(id, members)
  redis.call("DEL", key("batch:" .. id))
  push("RPUSH", key("batch:" .. id), members)
end

-- A second batch with the same past, which has no place yet.
local function make_part(state, part_id, members, changes)
  local part = cjson.decode(cjson.encode(state))
  part.claim, part.owner, part.sending, part.probe, part.rivals = nil, nil, nil, nil, nil
  part.bytes, part.waiting = nil, nil
  local _, received = head_of(members[1])
  part.oldest = received
  for name, value in pairs(changes) do part[name] = value end
  push("RPUSH", key("batch:" .. part_id), members)
  return part
end

-- A second batch right behind a batch, or behind an earlier part of it.
local function part_off(ahead, state, part_id, members, changes)
  if ORDERED[state.lane] then
    redis.call("LINSERT", line_key(state.lane, state.line), "AFTER", ahead, part_id)
  end
  park(part_id, make_part(state, part_id, members, changes), STEADY)
end

-- The longest word, with each character escaped, is shorter.
local WORD_BYTES = 128

local function unescaped(word)
  if string.find(word, "\\[^u/]") then return end
  word = string.gsub(word, "\\/", "/")
  word = string.gsub(word, "\\u00(%x%x)", function(code) return string.char(tonumber(code, 16)) end)
  return word
end

-- What a type word says, in whichever way JSON lets it be spelt: what is routed as unreadable
-- would lose its order, in a lane that is parallel. Reading takes the same (tuples.py).
local function kind_word(payload)
  local kind = KIND_OF[string.match(payload, '^%s*%[%s*"([%a_/]+)"') or ""]
  if kind then return kind end
  local at = string.match(payload, '^[ \t\r\n]*%[[ \t\r\n]*"()')
  local word = at and string.match(string.sub(payload, at, at + WORD_BYTES), '^([%w_/\\]+)"')
  return KIND_OF[word and unescaped(word) or ""]
end

local INDEXES = { "reason", "status", "type" }
local function group_of(letter)
  return letter.reason .. "|" .. letter.status .. "|" .. letter.type
end

local function expect_indexes(letters)
  local seen = {}
  local function once(index)
    if seen[index] then return end
    seen[index] = true
    return expect("zset", key("dead:" .. index))
  end
  for _, letter in ipairs(letters) do
    local status = letter.status or 0
    local wrong = once("reason:" .. letter.reason) or once("status:" .. status)
    for _, kind in ipairs(KINDS) do
      wrong = wrong or once("group:" .. letter.reason .. "|" .. status .. "|" .. kind)
    end
    if wrong then return wrong end
  end
end

-- As texts these sort as numbers do: 0-9 before 0-10, and 0-3.2 before 0-3.10.
local LONGEST = 26
local function sortable(number)
  return (string.gsub(number, "%d+", function(digits)
    return string.char(96 + math.min(#digits, LONGEST)) .. digits
  end))
end

-- Where a letter stands among those that are replayed with it: by its number, or among others of
-- its file by the number that it was exported with.
local function place_of(letter)
  local from = letter.imported
  local former = from and from.file and string.match(from.id, "^%d+%-[%d.]+$")
  local own = sortable(letter.id)
  return former and #former < SLICE and sortable(from.file) .. ":" .. sortable(former) .. "," .. own or own
end

local function in_order(letter) return place_of(letter) .. " " .. letter.id end

local function index_letter(letter, at)
  if ORDERED[letter.lane] then redis.call("ZADD", key("dead:order"), 0, in_order(letter)) end
  redis.call("ZADD", key("dead"), at, letter.id)
  for _, name in ipairs(INDEXES) do
    redis.call("ZADD", key("dead:" .. name .. ":" .. letter[name]), at, letter.id)
  end
  redis.call("ZADD", key("dead:group:" .. group_of(letter)), at, letter.id)
  redis.call("HINCRBY", key("dead:counts"), group_of(letter), 1)
end

local function unindex_letter(letter)
  if ORDERED[letter.lane] then redis.call("ZREM", key("dead:order"), in_order(letter)) end
  redis.call("ZREM", key("dead"), letter.id)
  for _, name in ipairs(INDEXES) do
    redis.call("ZREM", key("dead:" .. name .. ":" .. letter[name]), letter.id)
  end
  redis.call("ZREM", key("dead:group:" .. group_of(letter)), letter.id)
  if redis.call("HINCRBY", key("dead:counts"), group_of(letter), -1) < 1 then
    redis.call("HDEL", key("dead:counts"), group_of(letter))
  end
end

-- What became of a message that a bulk job re-queued, counted with the job: `delivered`, `failed`
-- (`same`: of the same error as before), `gone` (discarded or erased), `split` (more records of a
-- list). A job that was forgotten stays so.
local function requeued_by(stored) return stored and string.match(stored, '"requeued_by":"([^"]+)"') end
local function outcome(job, what, by)
  local record = job and key("job:" .. job)
  if not record or redis.call("TYPE", record).ok ~= "hash" then return end
  redis.call("HINCRBY", record, "outcome:" .. what, by or 1)
end

-- A message that was replayed ends for good: nothing is kept of its failures.
local function forget_history(number, what)
  local job = requeued_by(redis.call("HGET", key("history"), number))
  if job then outcome(job, what) end
  redis.call("HDEL", key("history"), number)
end

local function without_numbers(error) return (string.gsub(error or "", "%d+", "#")) end

local function count_failed_again(past, verdict)
  local last = past.deaths and past.deaths[#past.deaths]
  if not (past.requeued_by and last) then return end
  outcome(past.requeued_by, "failed")
  local is_same = last.reason == verdict.reason and last.status == (verdict.status or 0)
    and without_numbers(last.error) == without_numbers(verdict.error)
  if is_same then outcome(past.requeued_by, "same") end
end

-- verdict: reason, status (HTTP, 0 for none), error, field, attempts of this life
local function bury(member, lane, verdict)
  local number, received, replays, payload = split_member(member)
  local past = replays > 0 and redis.call("HGET", key("history"), number)
  past = past and cjson.decode(past) or { attempts = 0 }
  count_failed_again(past, verdict)
  local letter = {
    id = number, lane = lane, type = kind_word(payload) or "unknown",
    reason = verdict.reason, status = verdict.status or 0,
    error = verdict.error or "", field = verdict.field or "",
    attempts = past.attempts + verdict.attempts, replays = replays,
    first_seen = received, dead_since = NOW, deaths = past.deaths,
    edits = past.edits, original = past.original, imported = past.imported,
    requeued_by = past.requeued_by, fixed = past.fixed,
  }
  redis.call("HSET", key("letters"), number, cjson.encode(letter) .. "\n" .. payload)
  redis.call("HDEL", key("history"), number)
  index_letter(letter, NOW)
  tally("dead", 1)
  tally("dead:" .. letter.type .. ":" .. letter.reason, 1)
end
