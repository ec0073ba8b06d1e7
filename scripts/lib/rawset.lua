--- A set of demonstrations as it is before anybody looks at it: the embedded model's story problems, with what real sets have.
-- Row i is a function of (seed, i) and the rows before it. What was done to a row stands in a list of its own, `kinds`, which no step
-- of curation sees: good; same (a copy), near (a copy in other case and spacing); bare (a wrong number, no working), wrong (its
-- working goes astray at the end), misread (a right sum of other numbers than the problem's); cut (off in the midst of the answer);
-- off (another task); junk (markup, symbols); leak (a problem that the model is measured on, answered right).

local hone = require "hone"
local stories = require "stories"

local rawset = {}

-- Shares of the kinds, in the order that a draw goes through them; the rest is good.
local shares = { { "same", 0.07 }, { "near", 0.06 }, { "bare", 0.09 }, { "wrong", 0.08 }, { "misread", 0.03 }, { "cut", 0.03 }, { "off", 0.05 },
  { "junk", 0.03 }, { "leak", 0.02 } }

local things = { "colour", "river", "tool", "fruit", "month", "planet", "country", "game" }
local asks = { "Name a {t} that starts with {c}.", "Write a line about a {t}.", "Is a {t} older than {n} years?", "Which {t} do you like, {c} or {d}?" }
local says = { "I would say {c}, but it depends on the {t}.", "There are about {n} of them.", "The {t} is nice in spring.", "Sorry, I cannot help with that {t}." }
local junk = { "{n}px; margin:{n}px } function f{n}() { return {n} }", "#### {n} #### {n} #### {n} ####", "Lorem ipsum dolor sit amet {n} consectetur {n}.",
  "Please enable javascript to see page {n}.", "|{n}|{n}|{n}|" }

local function pick(seed, i, what, n)
  return 1 + math.floor(hone.random(seed, "raw " .. what, i) * n)
end

local function filled(text, seed, i)
  local letters = "ABCDEFGHIKLMNOPRSTUVW"
  local c, d = pick(seed, i, "c", #letters), pick(seed, i, "d", #letters)
  return (text:gsub("{t}", things[pick(seed, i, "t", #things)]):gsub("{c}", letters:sub(c, c)):gsub("{d}", letters:sub(d, d))
    :gsub("{n}", tostring(pick(seed, i, "n", 400))))
end

-- The working again with another start value: every sum is right, and none is the problem's.
local function misread(story, seed, i)
  local value, out, ok = tonumber(story.working:match "^%d+") + pick(seed, i, "by", 5), {}, true
  for sign, size in story.working:gmatch "([+-])(%d+)=" do
    local after = sign == "+" and value + tonumber(size) or value - tonumber(size)
    ok = ok and after >= 0
    out[#out + 1] = string.format("%d%s%s=%d", value, sign, size, after)
    value = after
  end
  return ok and table.concat(out, " ") .. "\nAnswer: " .. value or nil
end

local make = {
  bare = function(s, seed, i) return "Answer: " .. (tonumber(s.answer) + pick(seed, i, "off", 9)) % 31 end,
  wrong = function(s, seed, i)
    local number = tostring((tonumber(s.answer) + pick(seed, i, "off", 9)) % 31)
    return s.working:gsub("%d+$", number) .. "\nAnswer: " .. number
  end,
  misread = misread,
  cut = function(s) return s.working:sub(1, #s.working // 2) end,
}

--- n rows { id, prompt, completion } and the list of their kinds. test: the problems that are measured on, which some rows leak.
function rawset.rows(seed, n, test)
  local out, kinds, good = {}, {}, {}
  local pool = stories.list(seed, "train", n, true)
  for i = 1, n do
    local u, kind = hone.random(seed, "raw kind", i), "good"
    for _, share in ipairs(shares) do
      if u < share[2] then
        kind = share[1]
        break
      end
      u = u - share[2]
    end
    local story = pool[i]
    if (kind == "same" or kind == "near") and #good == 0 then kind = "good" end
    local row = { id = i, prompt = story.prompt, completion = stories.completion(story, true) }
    if kind == "same" or kind == "near" then
      local from = out[good[pick(seed, i, "copy", #good)]]
      row.prompt, row.completion = from.prompt, from.completion
      if kind == "near" then row.prompt = "q: " .. row.prompt:lower():gsub(" ", "  ", 2) end
    elseif kind == "off" then
      row.prompt = filled(asks[pick(seed, i, "ask", #asks)], seed, i) .. "\n"
      row.completion = filled(says[pick(seed, i, "say", #says)], seed, i)
    elseif kind == "junk" then
      row[pick(seed, i, "where", 2) == 1 and "prompt" or "completion"] = filled(junk[pick(seed, i, "junk", #junk)], seed, i)
    elseif kind == "leak" then
      local leaked = test[pick(seed, i, "leak", #test)]
      row.prompt, row.completion = leaked.prompt, stories.completion(leaked, true)
    elseif make[kind] then
      local made = make[kind](story, seed, i)
      row.completion, kind = made or row.completion, made and kind or "good"
    end
    if kind == "good" then good[#good + 1] = i end
    out[i], kinds[i] = row, kind
  end
  return out, kinds
end

--- A judge that reads the working and knows no answers: 1 where every sum is right, each begins with the result before it, and the answer is
-- the last; 0.3 where there is an answer and no working; else 0. It does not see whether the numbers are the problem's.
function rawset.judge()
  return hone.judge { id = "working", version = "1", judge = function(items)
    local out = {}
    for k, it in ipairs(items) do
      local text, value, right = it.candidates[1], nil, true
      for a, sign, b, c in text:gmatch "(%d+)([+-])(%d+)=(%d+)" do
        a, b, c = tonumber(a), tonumber(b), tonumber(c)
        right = right and (value == nil or value == a) and c == (sign == "+" and a + b or a - b)
        value = c
      end
      local answer = tonumber(text:match "Answer: (%d+)%s*$")
      out[k] = value and (right and answer == value and 1 or 0) or answer and 0.3 or 0
    end
    return out
  end }
end

return rawset
