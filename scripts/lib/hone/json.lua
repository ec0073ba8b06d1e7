--- JSON text of plain Lua values, keys sorted.

local json = {}

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function text(s)
  return '"' .. s:gsub('[\0-\31"\\]', function(c)
    return escapes[c] or string.format("\\u%04x", c:byte())
  end) .. '"'
end

local function number(v)
  if math.type(v) == "integer" then return tostring(v) end
  if v ~= v or v == math.huge or v == -math.huge then return "null" end
  local short = string.format("%.15g", v)
  return tonumber(short) == v and short or string.format("%.17g", v)
end

local function encode(v, indent)
  local t = type(v)
  if t == "string" then return text(v) end
  if t == "number" then return number(v) end
  if t == "boolean" then return tostring(v) end
  if t ~= "table" then return "null" end
  local inner, out = indent .. "  ", {}
  if #v > 0 then
    for i = 1, #v do out[i] = inner .. encode(v[i], inner) end
    return "[\n" .. table.concat(out, ",\n") .. "\n" .. indent .. "]"
  end
  local keys = {}
  for k in pairs(v) do keys[#keys + 1] = tostring(k) end
  if #keys == 0 then return "{}" end
  table.sort(keys)
  for i, k in ipairs(keys) do out[i] = inner .. text(k) .. ": " .. encode(v[k], inner) end
  return "{\n" .. table.concat(out, ",\n") .. "\n" .. indent .. "}"
end

--- The text, indented, with a final newline.
function json.encode(v)
  return encode(v, "") .. "\n"
end

return json
