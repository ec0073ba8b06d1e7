--- Strengths of candidates from comparisons of pairs: Bradley-Terry with a ridge.
-- P(a beats b) = s(x_a - x_b). Maximised is sum over games of y log s(d) + (1 - y) log s(-d) - ridge / 2 sum x^2, which is
-- strictly concave, by Newton's method with halved steps. The ridge keeps a candidate that won every game finite, and
-- its maximum has sum x = 0, since the games see differences only. Source: Bradley and Terry 1952.

local strengths = {}

local function log_s(d)
  return d > 0 and -math.log(1 + math.exp(-d)) or d - math.log(1 + math.exp(d))
end

local function value(x, games, ridge)
  local f = 0
  for _, g in ipairs(games) do
    local d = x[g[1]] - x[g[2]]
    f = f + g[3] * log_s(d) + (1 - g[3]) * log_s(-d)
  end
  for _, v in ipairs(x) do f = f - ridge / 2 * v * v end
  return f
end

-- Solves a y = b for a symmetric positive definite a (changed), by Cholesky's factors.
local function solve(a, b)
  local n = #b
  for j = 1, n do
    for k = 1, j - 1 do a[j][j] = a[j][j] - a[j][k] ^ 2 end
    a[j][j] = math.sqrt(a[j][j])
    for i = j + 1, n do
      for k = 1, j - 1 do a[i][j] = a[i][j] - a[i][k] * a[j][k] end
      a[i][j] = a[i][j] / a[j][j]
    end
  end
  for i = 1, n do
    for k = 1, i - 1 do b[i] = b[i] - a[i][k] * b[k] end
    b[i] = b[i] / a[i][i]
  end
  for i = n, 1, -1 do
    for k = i + 1, n do b[i] = b[i] - a[k][i] * b[k] end
    b[i] = b[i] / a[i][i]
  end
  return b
end

--- Strengths of n candidates from games { a, b, share of a's win }; they sum to 0.
function strengths.fit(n, games, ridge)
  local x = {}
  for i = 1, n do x[i] = 0.0 end
  local f = value(x, games, ridge)
  for _ = 1, 100 do
    local g, h = {}, {}
    for i = 1, n do
      g[i], h[i] = -ridge * x[i], {}
      for k = 1, n do h[i][k] = i == k and ridge or 0.0 end
    end
    for _, game in ipairs(games) do
      local a, b = game[1], game[2]
      local p = 1 / (1 + math.exp(x[b] - x[a]))
      local r, w = game[3] - p, p * (1 - p)
      g[a], g[b] = g[a] + r, g[b] - r
      h[a][a], h[b][b] = h[a][a] + w, h[b][b] + w
      h[a][b], h[b][a] = h[a][b] - w, h[b][a] - w
    end
    local step, size, most, better = solve(h, g), 1, 0, nil
    repeat
      local y = {}
      for i = 1, n do y[i] = x[i] + size * step[i] end
      local new = value(y, games, ridge)
      if new >= f then better, f = y, new end
      size = size / 2
    until better or size < 1e-9
    if not better then break end
    for i = 1, n do most = math.max(most, math.abs(better[i] - x[i])) end
    x = better
    if most < 1e-12 then break end
  end
  local mean = 0
  for i = 1, n do mean = mean + x[i] / n end
  for i = 1, n do x[i] = x[i] - mean end
  return x
end

--- Is there a chain of games between any two of the n candidates?
function strengths.connected(n, games)
  local group, left = {}, n
  for i = 1, n do group[i] = i end
  local function root(i)
    while group[i] ~= i do i = group[i] end
    return i
  end
  for _, g in ipairs(games) do
    local a, b = root(g[1]), root(g[2])
    if a ~= b then
      group[a] = b
      left = left - 1
    end
  end
  return left <= 1
end

return strengths
