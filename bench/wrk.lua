-- What wrk does for the bench: GETs one path, POSTs a body in which @NAME@ counts up, or PATCHes paths in which @OF100@ goes through 100 names; prints one line of JSON at
-- the end. wrk -s wrk.lua URL -- METHOD PATH TOKEN ACCEPT [BODY-FILE NAME-PREFIX]
local method, path, before, after, prefix
local counter = 0

function init(args)
  method, path = args[1], args[2]
  wrk.headers["Authorization"] = "Bearer " .. args[3]
  wrk.headers["Accept"] = args[4]
  -- Never a user agent of curl or a browser: those are answered indented.
  wrk.headers["User-Agent"] = "gantry-bench/1"
  if args[5] then
    local file = assert(io.open(args[5], "r"))
    local body = file:read("*a")
    file:close()
    local from, to = body:find("@NAME@", 1, true)
    before, after = body:sub(1, from - 1), body:sub(to + 1)
    prefix = args[6]
    wrk.headers["Content-Type"] = method == "PATCH" and "application/merge-patch+json" or "application/json"
  end
end

function request()
  if not before then return wrk.format(method, path) end
  counter = counter + 1
  return wrk.format(method, (path:gsub("@OF100@", tostring(counter % 100))), nil, before .. prefix .. counter .. after)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"seconds":%f,"bytes":%d,"failed":%d,"p50Ms":%f,"p99Ms":%f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
