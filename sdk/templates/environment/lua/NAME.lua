--- @name@ - an environment: a number is to be guessed; each guess is answered with "higher" or "lower".
local M = { most = 20, tries = 5 }

--- One episode, from its beginning to its end: say(text, reward) shows the policy a text and returns what it does next.
-- What is returned is the last reward. `episode` has prompt, seed and columns, the data row.
function M.play(episode, say)
  local number = 1 + episode.seed % M.most
  local action = say "Guess my number: "
  for try = 1, M.tries do
    local guess = tonumber(action.text:match "%d+") or 0
    if guess == number then return 1 end
    if try == M.tries then break end
    action = say(guess < number and " higher: " or " lower: ")
  end
  return 0
end

--- The component: hone.environment(M.environment()).
function M.environment()
  return { id = "@name@", caps = { "deterministic" }, play = M.play }
end

return M
