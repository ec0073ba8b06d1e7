--- tools.lua - what a call in a text is, and what tools answer. Run by multi_turn.py: each line "ok ..." or "FAIL ...".
local hone = require "hone"
local tools = require "tools"
local function check(what, got, want)
  if got == want then print("ok   " .. what) else print("FAIL " .. what .. ": " .. tostring(got) .. " instead of " .. tostring(want)) end
end

for text, want in pairs {
  ["7+5"] = 12, [" 2 * 3 + 4 "] = 10, ["2+3*4"] = 14, ["(2+3)*4"] = 20, ["-(2-5)"] = 3, ["--4"] = 4, ["10-4-3"] = 3, ["999999999999999"] = 999999999999999,
  ["(((((7)))))"] = 7, ["2*-3"] = -6 } do
  check(text, tools.value_of(text), want)
end
for _, text in ipairs { "", " ", "+", "7+", "(7", "7)", "7 5", "1e5", "7/2", "9999999999999999", "99999999*99999999", ("("):rep(5000), ("-"):rep(5000) .. "1",
  "x", "7=7", "\0", "2**3", "()" } do
  check("no sum: " .. text:sub(1, 20), tools.value_of(text), nil)
end
check("51 signs are too many", tools.value_of(("-"):rep(51) .. "1"), nil)
check("50 are not", tools.value_of(("-"):rep(50) .. "1"), 1)

local function call(text)
  local name, arguments = tools.call_in(text)
  return tostring(name) .. "|" .. (type(arguments) == "table" and tostring(arguments.q) or tostring(arguments))
end
for text, want in pairs {
  ["no call"] = "nil|nil", ["<call>look: up this</call>"] = "look|up this", ["a <call> look : x "] = "look|x", ["<call>what</call>"] = "nil|a call is <call>NAME: TEXT</call>",
  ['<tool_call>{"name": "s", "arguments": {"q": "x"}}</tool_call>'] = "s|x", ['think\n<tool_call>\n{"name": "s"}\n</tool_call>\n'] = "s|nil",
  ['<tool_call>{"name": "a"}</tool_call> <tool_call>{"name": "b", "arguments": {"q": 2}}</tool_call>'] = "b|2",
  ['<tool_call>{"name": "s", "arguments": {"q": "x"}}'] = "s|x", ["<tool_call>{name: s}</tool_call>"] = "nil|the call is no JSON", ["<tool_call>7</tool_call>"] = "nil|the call is no JSON",
  ['<tool_call>{"arguments": {}}</tool_call>'] = "nil|the call has no name", ['<tool_call>{"name": "s", "arguments": "q"}</tool_call>'] = "nil|its arguments are no object",
  ["<tool_call></tool_call>"] = "nil|the call is no JSON" } do
  check(text:gsub("\n", " "):sub(1, 60), call(text), want)
end

local box = tools.box { id = "shop", list = {
  { name = "price", description = "of a thing", parameters = { type = "object", properties = { q = { type = "string" } } },
    run = function(a, e) return (type(a) == "table" and a.q or a) .. " costs " .. e.columns.price end },
  { name = "burn", run = function() error "no fire here" end } },
  done = function(text, e) if text == "boom" then error "boom" end return text:find(tostring(e.columns.price), 1, true) and 1 or 0 end }
box.kind = "environment"
local shop = hone.component(box)
local shown = shop:tools()
check("templates see the tools", shown:find '"name": "price"' ~= nil and shown:find '"description": "of a thing"' ~= nil, true)
shop:reset { { id = 1, columns = { price = 7 } } }
local function step(id, text)
  local o = shop:step({ { id = id, text = text, turn = 1 } })[1].observation
  return o.status .. "|" .. (o.text or "") .. "|" .. (o.role or "") .. "|" .. o.reward .. "|" .. (o.reason or "")
end
check("a tool answers", step(1, '<tool_call>{"name": "price", "arguments": {"q": "tea"}}</tool_call>'), "1|tea costs 7|tool|0.0|")
check("in the plain form too", step(1, "<call>price: tea</call>"), "1|tea costs 7|tool|0.0|")
check("a tool there is not", step(1, "<call>steal: tea</call>"), "1|error: there is no tool steal|tool|0.0|")
check("a tool that fails", step(1, "<call>burn: tea</call>"), "1|error: no fire here|tool|0.0|")
check("a call that cannot be read", step(1, "<tool_call>{</tool_call>"), "1|error: the call is no JSON|tool|0.0|")
check("a right answer", step(1, "7 it is"), "2|||1.0|")
check("a wrong one", step(1, "8"), "2|||0.0|")
check("where the answer cannot be told", (step(1, "boom"):gsub("|[^|]*boom$", "|boom")), "3|||0.0|boom")
shop:forget { 1 }
check("a stranger", step(1, "7"), "3|||0.0|there is no such episode")
check("no done", pcall(tools.box, { list = {} }), false)
check("a tool without run", pcall(tools.box, { list = { { name = "x" } }, done = print }), false)
