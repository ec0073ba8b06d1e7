--- Story problems: a start value, three or four changes, a question; in eight scenes.
-- The embedded model's task. Problem number i of a seed is a pure function of (seed, i). A problem's key is its
-- start and changes; its hash says to which part it belongs, whatever the scene, so that no held-out sum is ever
-- trained on: part "test" (hash mod 10 = 0), "tune" (1), "train" (2..9).

local hone = require "hone"

local stories = {}

local names = { "Leo", "Mia", "Sam", "Eva", "Tom", "Ida", "Ben", "Zoe", "Max", "Ana", "Kim", "Joe" }

-- {N} name, {s} start value, {k} size of a change
local scenes = {
  { start = "{N} drives a bus with {s} people.", plus = { "{k} get on.", "{k} more get on." },
    minus = { "{k} get off.", "{k} more get off." }, ask = "How many people are on the bus?" },
  { start = "{N} has {s} stickers.", plus = { "{N} buys {k}.", "{N} finds {k}." },
    minus = { "{N} gives away {k}.", "{N} loses {k}." }, ask = "How many stickers does {N} have?" },
  { start = "{N} takes a lift from floor {s}.", plus = { "It goes up {k}.", "{N} goes up {k}." },
    minus = { "It goes down {k}.", "{N} goes down {k}." }, ask = "On which floor is {N}?" },
  { start = "{N} has {s} points.", plus = { "{N} wins {k}.", "{N} scores {k}." },
    minus = { "{N} loses {k}.", "{N} drops {k}." }, ask = "How many points does {N} have?" },
  { start = "{N} has a box with {s} balls.", plus = { "{N} puts in {k}.", "{k} are put in." },
    minus = { "{N} takes out {k}.", "{k} are taken out." }, ask = "How many balls are in the box?" },
  { start = "{N} reads {s} degrees.", plus = { "It gets {k} warmer.", "It rises by {k}." },
    minus = { "It gets {k} colder.", "It falls by {k}." }, ask = "How many degrees does {N} read?" },
  { start = "{N} has {s} dollars.", plus = { "{N} earns {k}.", "{N} gets {k}." },
    minus = { "{N} spends {k}.", "{N} pays {k}." }, ask = "How many dollars does {N} have?" },
  { start = "{N} sees {s} birds.", plus = { "{k} come.", "{k} more land." },
    minus = { "{k} fly off.", "{k} leave." }, ask = "How many birds does {N} see?" },
}

--- A stream of draws for problem i: pick(n) gives 1..n.
local function dice(seed, i)
  local k = -1
  return function(n)
    k = k + 1
    return 1 + math.floor(hone.random(seed, "stories", i, 0, k) * n)
  end
end

-- "{N} has {s} balls." -> { N, " has ", VALUE, " balls." }, cut once
local NAME, VALUE, cut = {}, {}, {}
local function pieces(text)
  local out, at = {}, 1
  while true do
    local from, to, what = text:find("{([Nsk])}", at)
    if not from then break end
    if from > at then out[#out + 1] = text:sub(at, from - 1) end
    out[#out + 1] = what == "N" and NAME or VALUE
    at = to + 1
  end
  out[#out + 1] = text:sub(at)
  return out
end

local function fill(text, name, value)
  local p, out = cut[text], {}
  if not p then
    p = pieces(text)
    cut[text] = p
  end
  for i = 1, #p do
    local x = p[i]
    out[i] = x == NAME and name or x == VALUE and value or x
  end
  return table.concat(out)
end

local function part_of(key)
  local h = hone.hash(key, 20260101) % 10
  if h == 0 then return "test" end
  if h == 1 then return "tune" end
  return "train"
end
stories.part_of = part_of

-- Problem number i, or nil when it is of another part than the one wanted (nil: any). The draws come first:
-- nine of ten problems are not of the part "test", and need no text.
local function make(seed, i, want)
  local pick = dice(seed, i)
  local scene, name = pick(#scenes), names[pick(#names)]
  local s = scenes[scene]
  local value = pick(19) + 1
  local changes, key = 2 + pick(2), { value }
  local first, says, sizes, values, signs = value, {}, {}, {}, {}
  for c = 1, changes do
    local size, plus = pick(9), pick(2) == 1
    if plus and value + size > 30 then plus = false end
    if not plus and value - size < 0 then plus = true end
    local nxt = plus and value + size or value - size
    local say = plus and s.plus or s.minus
    says[c], sizes[c], values[c], signs[c] = say[pick(#say)], size, nxt, plus and "+" or "-"
    key[c + 1] = signs[c] .. size
    value = nxt
  end
  key = table.concat(key)
  local part = part_of(key)
  if want and part ~= want then return nil end
  local text, working, before = { fill(s.start, name, first) }, {}, first
  for c = 1, changes do
    text[c + 1] = fill(says[c], name, sizes[c])
    working[c] = before .. signs[c] .. sizes[c] .. "=" .. values[c]
    before = values[c]
  end
  text[changes + 2] = fill(s.ask, name)
  return {
    prompt = table.concat(text, " ") .. "\n", answer = tostring(value), working = table.concat(working, " "),
    key = key, part = part, scene = scene,
  }
end

--- Problem number i: { prompt, answer, working, key, part, scene }.
function stories.problem(seed, i)
  return make(seed, i)
end

--- n problems of one part ("train", "tune", "test"), no key twice within the list when `distinct`.
function stories.list(seed, part, n, distinct)
  local out, seen, i = {}, {}, 0
  while #out < n do
    local p = make(seed, i, part)
    i = i + 1
    if p and not (distinct and seen[p.key]) then
      seen[p.key] = true
      out[#out + 1] = p
    end
  end
  return out
end

--- A demonstration: with its working line, or the bare answer line.
function stories.completion(p, with_working)
  local answer = "Answer: " .. p.answer
  return with_working and p.working .. "\n" .. answer or answer
end

--- Does a completion show its working?
function stories.has_working(text)
  return text:find("=", 1, true) ~= nil
end

return stories
