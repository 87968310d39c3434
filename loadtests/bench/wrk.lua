-- What `wrk` sends and says for loadtests.bench.wrk. BENCH_PATHS and BENCH_TOKENS name files with a path, a token a line.
local function lines(variable)
    local found = {}
    for line in io.lines(os.getenv(variable)) do
        found[#found + 1] = line
    end
    return found
end

local paths, tokens, number, method

function init()
    paths, tokens = lines("BENCH_PATHS"), lines("BENCH_TOKENS")
    method, number = os.getenv("BENCH_METHOD"), tonumber(os.getenv("BENCH_FIRST"))
end

function request()
    local path, token = paths[number % #paths + 1], tokens[number % #tokens + 1]
    local signed = token == "" and "" or "Authorization: Bearer " .. token .. "\r\n"
    number = number + 1
    return method .. " " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n" .. signed .. "\r\n"
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '\nbench {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "status": %d, "broken": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        e.status, e.connect + e.read + e.write + e.timeout))
end
