-- What wrk asks for, and what it tells at the end as one line of JSON. Settings come from the environment:
-- RANGE_BYTES (0: the whole object), OBJECT_BYTES, COUNT_SOURCES (1: count where first bytes came from).
local range = tonumber(os.getenv("RANGE_BYTES") or "0")
local size = tonumber(os.getenv("OBJECT_BYTES") or "0")
local count = os.getenv("COUNT_SOURCES") == "1"
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  math.randomseed(os.time() * 8 + number)
  cached, others, wrong = 0, 0, 0
  whole = wrk.format("GET")
end

function request()
  if range == 0 then return whole end
  local first = math.random(0, size - range)
  return wrk.format("GET", nil, { ["Range"] = string.format("bytes=%.0f-%.0f", first, first + range - 1) })
end

local expected = range == 0 and 200 or 206
local function look(status, headers, body)
  if status ~= expected then wrong = wrong + 1 end
  if not count then return end
  local timing = headers["Server-Timing"] or ""
  if timing:find("desc=cache", 1, true) then cached = cached + 1 else others = others + 1 end
end
-- A function that looks at each answer costs wrk a copy of its body, so it is there only where it is needed.
if count then response = look end

function done(summary, latency, requests)
  local c, o, w = 0, 0, 0
  for _, thread in ipairs(threads) do
    c, o, w = c + thread:get("cached"), o + thread:get("others"), w + thread:get("wrong")
  end
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"bytes":%.0f,"seconds":%f,"errors":%d,"cached":%d,"others":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout + w, c, o,
    latency:percentile(50), latency:percentile(99)))
end
