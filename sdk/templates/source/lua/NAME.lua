--- @name@ - a source: rows made by a function of their number, so that any position can be sought.
local M = {}

--- The i-th row, from 1.
function M.row(i)
  local a, b = i % 10, i // 10 % 10
  return { prompt = a .. " + " .. b .. " =", completion = " " .. (a + b), number = i }
end


return M
