--- Judges and tokenizers as a person writes them, brought to what their interfaces ask for.
-- The C side calls every function of a component with the arguments of its slot and gives sinks for results that
-- have no fixed size (hone/judge.h, hone/tokenizer.h). Here a judge returns verdicts and a tokenizer lists, and
-- what can be derived from the rest is filled in. A component whose table has `create` gets what that returned
-- as first argument of every function, so the functions here tell the two apart by the number of arguments.

local core = require "hone.core"
local judging = require "hone.judging"

local kinds = {}

local SCORE, ABSTAIN, ERROR = 1, 2, 3
local SPECIAL, ADD, OFFSETS, TRUNCATE, SKIP_SPECIAL = 1, 2, 4, 8, 1

-- The last k of the arguments, with what create returned (or nil) in front.
local function with_self(k, ...)
  if select("#", ...) == k then return nil, ... end
  return ...
end

local function call(fn, self, ...)
  if self ~= nil then return fn(self, ...) end
  return fn(...)
end

-- ---- judges --------------------------------------------------------------------------------------------------

local verdict_keys = { score = true, ranking = true, criteria = true, label_probs = true, reasoning = true,
  spec_hash = true, cost = true, latency_ns = true, error = true, abstain = true, detail = true, orders = true,
  mass = true, entropy = true, inconsistency = true, tokens_in = true, tokens_out = true, labels = true,
  criterion_names = true, candidate_scores = true, score_error = true, raw = true }

-- hone/judge.h's HONE_VERDICT_*, by name
local details = { ok = 0, unparsed = 1, refused = 2, truncated = 3, timeout = 4, budget = 5 }

local function verdict(v, i)
  if v == nil or v == false then return { status = ERROR, score = 0 / 0 } end
  if v == core.abstain then return { status = ABSTAIN, score = 0 / 0 } end
  if v == true then v = 1 end
  if type(v) == "number" then return { status = v == v and SCORE or ERROR, score = v } end
  if type(v) ~= "table" then
    error(string.format("judge: verdict %d is a %s: a number, a table, hone.abstain or nil is expected", i, type(v)), 0)
  end
  local out = { status = SCORE, score = v.score or 0 / 0 }
  for key, x in pairs(v) do
    if not verdict_keys[key] then error(string.format("judge: verdict %d: a verdict has no \"%s\"", i, tostring(key)), 0) end
    if key ~= "error" and key ~= "abstain" and key ~= "ranking" then out[key] = x end
  end
  if v.ranking then -- candidates are counted from 1 here, from 0 in the interface
    out.ranking = {}
    for k, c in ipairs(v.ranking) do out.ranking[k] = c - 1 end
  end
  if type(v.detail) == "string" then
    out.detail = details[v.detail] or error(string.format("judge: verdict %d: no detail is called \"%s\"", i, v.detail), 0)
  end
  if v.error then
    out.status, out.reasoning = ERROR, v.reasoning or tostring(v.error)
  elseif v.abstain then
    out.status = ABSTAIN
  end
  return out
end

--- judge(items) -> a list with one verdict an item: a number, or { score =, ranking =, reasoning =, criteria =, cost = ... },
-- hone.abstain, or nil for an error. A judge that put its verdicts itself (it gets the sink second) returns nothing.
function kinds.judge(t)
  local own = t.judge
  if type(own) ~= "function" then return end
  t.judge = function(...)
    local self, items, sink = with_self(2, ...)
    local out = judging.enter(t, t.id or "judge", call, own, self, items, sink)
    if out == nil then return end
    if type(out) ~= "table" then error("judge must return a list with one verdict an item, not a " .. type(out), 0) end
    for i = 1, #items do sink:put(i - 1, verdict(out[i], i)) end
  end
end

-- ---- tokenizers ----------------------------------------------------------------------------------------------

-- Spans from the bytes of the tokens, where those make up the text; special tokens that are not in it are empty.
local function spans_of(t, self, ids, text)
  local spans, at = {}, 0
  for k, id in ipairs(ids) do
    local bytes = call(t.token_bytes, self, id) or ""
    local n = #bytes
    if text:sub(at + 1, at + n) ~= bytes then
      n = call(t.is_special, self, id) ~= 0 and 0 or nil
    end
    if not n then break end
    spans[k] = { begin = at, ["end"] = at + n }
    at = at + n
  end
  if at ~= #text or #spans ~= #ids then
    core.fail("E_UNSUPPORTED", "encode gave no offsets (a second list: { first, last } of each token), and they cannot be derived")
  end
  return spans
end

local function spans_from(list)
  local spans = {}
  for k, s in ipairs(list) do spans[k] = { begin = s[1] - 1, ["end"] = s[2] } end
  return spans
end

local function encoder(t, own)
  return function(...)
    local self, texts, flags, sink = with_self(3, ...)
    local how = { special = flags & SPECIAL ~= 0, add = flags & ADD ~= 0, offsets = flags & OFFSETS ~= 0,
      truncate = flags & TRUNCATE ~= 0 }
    local list = texts:totable()
    local ids, offsets = call(own, self, list, how)
    if type(ids) ~= "table" or #ids ~= #list then
      error("encode must return a list with the ids of each text", 0)
    end
    for i, text in ipairs(list) do
      local spans = offsets and offsets[i] and spans_from(offsets[i]) or how.offsets and spans_of(t, self, ids[i], text) or nil
      sink:put(i - 1, ids[i], spans)
    end
  end
end

local function decoder(t, own)
  return function(...)
    local self, lists, flags, sink = with_self(3, ...)
    local n, ids = call(t.vocab_size, self), {}
    for i = 1, #lists do
      local keep, from = {}, lists[i].ids
      for k = 1, from and #from or 0 do
        local id = from[k]
        if id < 0 or id >= n then core.fail("E_RANGE", string.format("id %d is outside the vocabulary of %d", id, n)) end
        if flags & SKIP_SPECIAL == 0 or call(t.is_special, self, id) == 0 then keep[#keep + 1] = id end
      end
      ids[i] = keep
    end
    local out = call(own, self, ids)
    if type(out) ~= "table" or #out ~= #ids then error("decode must return a list with the text of each list of ids", 0) end
    for i = 1, #ids do sink:put(i - 1, out[i]) end
  end
end

local function given(t, name, k, default)
  local v = t[name]
  if type(v) == "function" then return end
  t[name] = function(...) return default(v, with_self(k, ...)) end
end

--- encode(texts, how) -> lists of ids [, lists of { first, last }] and decode(lists of ids) -> texts, vocab_size (a number),
-- special ({ bos =, eos =, pad =, unk = }). how: special, add, offsets, truncate. May be given besides: is_special(id),
-- token_bytes(id), token_text(id), token_id(text), fingerprint().
function kinds.tokenizer(t)
  local encode, decode = t.encode, t.decode
  if type(encode) ~= "function" or type(decode) ~= "function" then
    error("a tokenizer needs two functions: encode(texts, how) and decode(lists of ids)", 0)
  end
  if not t.vocab_size then error("a tokenizer needs vocab_size: the highest id + 1", 0) end
  if t.special ~= nil and type(t.special) ~= "table" and type(t.special) ~= "function" then
    error("a tokenizer's special is a table: { eos = 2 }", 0)
  end
  local specials, by_text = {}, {}
  if type(t.special) == "table" then
    for _, id in pairs(t.special) do specials[id] = true end
  end
  given(t, "vocab_size", 0, function(v) return v end)
  given(t, "special", 1, function(v, _, name) return v and v[name] or -1 end)
  given(t, "is_special", 1, function(_, _, id) return specials[id] and 1 or 0 end)
  local is_special = t.is_special
  t.is_special = function(...)
    local v = is_special(...)
    return v == true and 1 or tonumber(v) or 0
  end
  given(t, "token_bytes", 1, function(_, self, id)
    if id < 0 or id >= call(t.vocab_size, self) then return nil end
    return call(decode, self, { { id } })[1]
  end)
  given(t, "token_text", 1, function(_, self, id) return call(t.token_bytes, self, id) end)
  given(t, "token_id", 1, function(_, self, text)
    local key = self == nil and by_text or self
    local map = by_text[key]
    if not map then
      map = {}
      for id = call(t.vocab_size, self) - 1, 0, -1 do
        local token = call(t.token_text, self, id)
        if token then map[token] = id end
      end
      by_text[key] = map
    end
    return map[text] or -1
  end)
  given(t, "fingerprint", 0, function(_, self)
    local parts = { t.id or "", t.version or "0" }
    for id = 0, call(t.vocab_size, self) - 1 do
      local token = call(t.token_text, self, id) or ""
      parts[#parts + 1] = #token .. ":" .. token
    end
    return core.sha256(table.concat(parts, "\n"))
  end)
  t.encode, t.decode = encoder(t, encode), decoder(t, decode)
end

--- The table as the C side wants it; the caller's own is left alone.
function kinds.expand(t, kind)
  local of = t.kind or kind
  local adapt = (of == "judge" or of == "tokenizer" or of == "environment") and kinds[of]
  if not adapt then return t end
  local out = {}
  for k, v in pairs(t) do out[k] = v end
  if out.module or out.state == "replicated" then return out end -- the interface's own form: nothing is wrapped
  adapt(out)
  return out
end

return kinds
