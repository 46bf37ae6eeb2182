-- Makes sessions; counts answers that are not 200.
wrk.method = "POST"
wrk.body = '{"destination":"63121233333","timeLimit":7205,"callback":"https://app.example.com/status"}'
wrk.headers["Authorization"] = "Bearer XIbench"
wrk.headers["Content-Type"] = "application/json"

function done(summary, latency, requests)
  local wrong = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %.1f %.3f %.3f %d\n", summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, wrong))
end
