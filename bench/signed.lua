-- Signed webhook bodies, one a line ("<hex of the signature> <body>"), from the file and line that the arguments name.
local lines, at = {}, 0
function init(args)
  for line in io.lines(args[1]) do lines[#lines + 1] = line end
  at = tonumber(args[2])
end
function request()
  at = at % #lines + 1
  local sign, body = lines[at]:match("^(%S+) (.*)$")
  return wrk.format("POST", "/webhooks/meta", {
    ["Content-Type"] = "application/json", ["X-Hub-Signature-256"] = "sha256=" .. sign,
  }, body)
end
