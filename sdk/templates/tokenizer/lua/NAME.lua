--- @name@ - a tokenizer: one id a byte, and one that ends a text.
-- It reads a tokenizer.json whose model has the type "@name@", and leaves others to other components.
local M = { stop = "<|end|>", eos = 256 }

--- Bytes of a text; with `special` the text that spells the end becomes its id.
function M.encode_one(text, special)
  local ids, at = {}, 1
  while at <= #text do
    if special and text:sub(at, at + #M.stop - 1) == M.stop then
      ids[#ids + 1], at = M.eos, at + #M.stop
    else
      ids[#ids + 1], at = text:byte(at), at + 1
    end
  end
  return ids
end

--- The bytes of one id.
function M.bytes(id)
  return id == M.eos and M.stop or string.char(id)
end

--- The component: hone.tokenizer(M.tokenizer()), or hone.component(M.tokenizer()) and tokenizer = "tokenizer.json".
function M.tokenizer()
  return {
    kind = "tokenizer",
    id = "@name@",
    caps = { "pure", "deterministic" },
    vocab_size = 257,
    special = { eos = M.eos },
    -- create(config): config.spec is what the host has read, absent where the component is asked for by name
    create = function(config)
      local json = config.spec and config.spec.json
      if config.spec and not (json and json.model and json.model.type == "@name@") then
        return nil, "reads a tokenizer.json whose model has the type @name@"
      end
      return { spec = json }
    end,
    encode = function(_, texts, how)
      local out = {}
      for i, text in ipairs(texts) do
        local ids = M.encode_one(text, how.special)
        if how.add then ids[#ids + 1] = M.eos end
        out[i] = ids
      end
      return out
    end,
    decode = function(_, lists)
      local out = {}
      for i, ids in ipairs(lists) do
        local parts = {}
        for k, id in ipairs(ids) do parts[k] = M.bytes(id) end
        out[i] = table.concat(parts)
      end
      return out
    end,
  }
end

return M
