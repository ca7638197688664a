-- For wrk: one trigger a request (triggers.h makes the same ones), and the result as key=value lines.

local requests, following = {}, 0

-- Made beforehand, so that making them costs nothing while the clock runs.
function init(args)
  local headers = { ["Content-Type"] = "application/json" }
  for i = 0, 4095 do
    requests[i] = wrk.format("POST", "/triggers", headers, string.format(
      '{"apiVersion":"ChiBio/v1alpha1/Reactor%d","protocol":"Bioreactor","spec":{"temperature":%d.5,' ..
      '"opticalDensity":0.%03d,"volume":{"value":%d.25,"unit":"mL"},"stirring":0.6,' ..
      '"pumps":["media","waste"],"light":null},"metadata":{"source":"riffyn","spec":' ..
      '{"experiment":"EXP-%08d","step":"dilute","run":%d,"operator":"j.doe@example.org"}}}',
      i % 8 + 1, 30 + i % 10, i % 1000, 10 + i % 15, i, math.floor(i / 96)))
  end
end

function request()
  following = (following + 1) % 4096
  return requests[following]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format("requests=%d", summary.requests))
  print(string.format("seconds=%.3f", summary.duration / 1e6))
  print(string.format("answer_bytes=%.0f", summary.bytes / summary.requests))
  print(string.format("p50_ms=%.2f", latency:percentile(50) / 1e3))
  print(string.format("p99_ms=%.2f", latency:percentile(99) / 1e3))
  print(string.format("refused=%d", errors.status))
  print(string.format("broken=%d", errors.connect + errors.read + errors.write + errors.timeout))
end
