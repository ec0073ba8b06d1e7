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

--- Draw k of problem i: 1..n.
local floor, random = math.floor, hone.random
local function pick(seed, i, k, n)
  return 1 + floor(random(seed, "stories", i, 0, k) * n)
end

-- All numbers that occur, as text.
local digits = {}
for n = 0, 30 do digits[n] = tostring(n) end

-- "{N} has {s} balls." -> { "", " has ", " balls.", first = true }: up to two holes between the texts, and whether
-- each is the name. Cut once.
local cut = {}
local function pieces(text)
  local out, holes, at = {}, {}, 1
  while true do
    local from, to, what = text:find("{([Nsk])}", at)
    if not from then break end
    out[#out + 1] = text:sub(at, from - 1)
    holes[#holes + 1] = what == "N"
    at = to + 1
  end
  out[#out + 1] = text:sub(at)
  out.first, out.second = holes[1], holes[2]
  cut[text] = out
  return out
end

local function fill(text, name, value)
  local p = cut[text] or pieces(text)
  if not p[2] then return text end
  local first = p.first and name or value
  if p[3] then return p[1] .. first .. p[2] .. (p.second and name or value) .. p[3] end
  return p[1] .. first .. p[2]
end

local function part_of(key)
  local h = hone.hash(key, 20260101) % 10
  if h == 0 then return "test" end
  if h == 1 then return "tune" end
  return "train"
end
stories.part_of = part_of

-- The changes of the problem at hand: tables of their own for each of 10,000 problems would be most of the work.
local says, sizes, values, signs = {}, {}, {}, {}

-- Problem number i, or nil when it is of another part than the one wanted (nil: any). The draws come first:
-- nine of ten problems are not of the part "test", and need no text.
local function make(seed, i, want)
  local scene, name = pick(seed, i, 0, #scenes), names[pick(seed, i, 1, #names)]
  local s = scenes[scene]
  local first = pick(seed, i, 2, 19) + 1
  local changes, value, key = 2 + pick(seed, i, 3, 2), first, digits[first]
  for c = 1, changes do
    local size, plus = pick(seed, i, 3 * c + 1, 9), pick(seed, i, 3 * c + 2, 2) == 1
    if plus and value + size > 30 then plus = false end
    if not plus and value - size < 0 then plus = true end
    local say = plus and s.plus or s.minus
    value = plus and value + size or value - size
    says[c], sizes[c], values[c], signs[c] = say[pick(seed, i, 3 * c + 3, #say)], digits[size], digits[value], plus and "+" or "-"
    key = key .. signs[c] .. sizes[c]
  end
  local part = part_of(key)
  if want and part ~= want then return nil end
  local before = digits[first]
  local text, working = fill(s.start, name, before), before .. signs[1] .. sizes[1] .. "=" .. values[1]
  for c = 1, changes do
    text = text .. " " .. fill(says[c], name, sizes[c])
    if c > 1 then working = working .. " " .. values[c - 1] .. signs[c] .. sizes[c] .. "=" .. values[c] end
  end
  return {
    prompt = text .. " " .. fill(s.ask, name) .. "\n", answer = digits[value], working = working,
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
