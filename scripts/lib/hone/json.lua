--- JSON text of plain Lua values, keys sorted; and values of JSON text (for columns that hold JSON as text).

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

--- The text on one line, without a newline: a row of JSONL.
function json.line(v)
  return (encode(v, ""):gsub("\n *", "")) -- those of texts are escaped
end

local unescape = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function decode_text(s, i)
  local out = {}
  while true do
    local j = s:find('["\\]', i) or error("a string is not closed", 0)
    out[#out + 1] = s:sub(i, j - 1)
    if s:sub(j, j) == '"' then return table.concat(out), j + 1 end
    local c = s:sub(j + 1, j + 1)
    if c == "u" then
      local code = tonumber(s:match("^%x%x%x%x", j + 2) or error("a \\u is cut short", 0), 16)
      j = j + 6
      if code >= 0xD800 and code < 0xDC00 then
        local low = tonumber(s:match("^\\u(%x%x%x%x)", j) or "", 16)
        if low and low >= 0xDC00 and low < 0xE000 then
          code, j = 0x10000 + (code - 0xD800) * 1024 + low - 0xDC00, j + 6
        end
      end
      out[#out + 1] = utf8.char(code >= 0xD800 and code < 0xE000 and 0xFFFD or code)
      i = j
    else
      out[#out + 1] = unescape[c] or error("a string has an unknown escape", 0)
      i = j + 2
    end
  end
end

local words = { ["true"] = true, ["false"] = false }

local function decode(s, i, depth)
  if depth > 100 then error("nested too deep", 0) end
  i = s:find("%S", i) or error("a value is missing", 0)
  local c = s:sub(i, i)
  if c == '"' then return decode_text(s, i + 1) end
  if c == "{" or c == "[" then
    local out, n, close = {}, 0, c == "{" and "}" or "]"
    i = s:find("%S", i + 1) or error("it is not closed", 0)
    if s:sub(i, i) == close then return out, i + 1 end
    while true do
      local key, v
      if close == "}" then
        i = s:match('^%s*"()', i) or error("a key is missing", 0)
        key, i = decode_text(s, i)
        i = s:match("^%s*:()", i) or error("a colon is missing", 0)
      end
      v, i = decode(s, i, depth + 1)
      n = n + 1
      out[key or n] = v
      local mark
      mark, i = s:match("^%s*([,}%]])()", i)
      if mark == close then return out, i end
      if mark ~= "," then error("a comma or bracket is missing", 0) end
    end
  end
  local word = s:match("^%a+", i)
  if word == "null" then return nil, i + 4 end
  if words[word] ~= nil then return words[word], i + #word end
  local number = s:match("^-?%d[%d.eE+-]*", i) or error("a value was expected", 0)
  return tonumber(number) or error("a number is malformed", 0), i + #number
end

--- The value of a JSON text (null: nil). nil and what is wrong, where it is none.
function json.decode(s)
  local ok, v, i = pcall(decode, s, 1, 0)
  if not ok then return nil, v end
  if s:find("%S", i) then return nil, "more follows" end
  return v
end

return json
