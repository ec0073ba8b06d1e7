--- digits.lua - a reward in Lua: the share of the words of a completion that are digits only.
return function(hone)
  return hone.reward { id = "digits", weight = 0.5, score = function(batch)
    return batch:map(function(s)
      local words, digits = 0, 0
      for word in s.completion:gmatch "%S+" do
        words = words + 1
        if word:match "^%d+$" then digits = digits + 1 end
      end
      return words > 0 and digits / words or 0
    end)
  end }
end
