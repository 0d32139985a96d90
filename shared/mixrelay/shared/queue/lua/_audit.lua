-- The audit trail: an entry is added by the script that moves or changes letters, or holds a
-- lane, and never altered. Beyond the newest 100,000 the oldest go, counted as `audit_trimmed`.
local AUDIT_KEPT = 100000
-- Letters that an entry names; their count it always has.
local NAMED = 20

local function expect_audit() return expect("stream", key("audit")) end

-- entry: who, why, count, job, filter, lane; numbers: of the letters, as far as they are named
local function audit(what, entry, numbers)
  redis.call("XADD", key("audit"), "*", "what", what, "who", entry.who or "", "why", entry.why or "",
    "count", entry.count or 0, "job", entry.job or "", "filter", entry.filter or "",
    "numbers", table.concat(numbers or {}, " ", 1, math.min(#(numbers or {}), NAMED)),
    "lane", entry.lane or "")
  local over = redis.call("XLEN", key("audit")) - AUDIT_KEPT
  if over > 0 then
    redis.call("XTRIM", key("audit"), "MAXLEN", "=", AUDIT_KEPT)
    tally("audit_trimmed", over)
  end
end
