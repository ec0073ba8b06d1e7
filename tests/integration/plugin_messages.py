"""plugin_messages.py - what a person reads when a component goes wrong: which one, which call, which sample, why, what to run next.

One reward in C that misbehaves as its setting says, in a box and trusted, and functions in Lua with the usual mistakes.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from counted import check, finish, skip  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = os.path.abspath(os.environ.get("HONE", str(ROOT / "build" / "hone")))
scratch = tempfile.TemporaryDirectory(prefix="hone-messages-")
work = pathlib.Path(scratch.name)
ENV = {**os.environ, "XDG_DATA_HOME": str(work / "data"), "XDG_CONFIG_HOME": str(work / "config"), "HOME": str(work),
       "HONE_PLUGIN_PATH": str(work)}


def hone(*args, **env):
    return subprocess.run([HONE, *map(str, args)], capture_output=True, text=True, cwd=work, env={**ENV, **env}, timeout=120)


(work / "moody.c").write_text(r"""
#include "hone/reward.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static const hone_field *const fields[] = {HONE_ENUM("how", "well", "well|nan|print|fail|abort|exit|unknown", 0, "what it does at the third sample"), NULL};
static const char *const wants[] = {"completion", NULL};
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride,
                         hone_outcome *out, size_t out_stride, const hone_notes *notes)
{
    const hone_config *cfg = hone_reward_config(self);
    hone_str how = cfg->str(cfg, 0);
    (void)notes;
    if (how.len == 5 && memcmp(how.ptr, "print", 5) == 0)
        printf("no end of line");
    for (size_t i = 0; i < n && !hone_cancelled(call); i++) {
        hone_str text = hone_sample_at(in, stride, i)->completion;
        int third = text.len == 5 && memcmp(text.ptr, "third", 5) == 0;
        if (third && how.ptr[0] == 'f')
            return HONE_E_FAIL;
        if (third && how.ptr[0] == 'a')
            abort();
        if (third && how.ptr[0] == 'e')
            exit(0);
        if (third && how.ptr[0] == 'u')
            hone_outcome_set(out, out_stride, i, 17, 0);
        else
            hone_outcome_set(out, out_stride, i, HONE_SCORE, third && how.ptr[0] == 'n' ? NAN : 1);
    }
    return HONE_OK;
}
HONE_REWARD_PLUGIN(0x000100, "com.example.reward.moody", "1.0.0", "as its setting says", HONE_CAP_BATCH_INVARIANT, fields, wants, score);
""")

sdk = ROOT / "sdk"
made = subprocess.run(["make", "-s", "-f", str(sdk / "hone.mk"), "PLUGIN=moody", f"HONE={HONE}"], cwd=work, capture_output=True, text=True, env=ENV)
check("the reward is built", made.returncode == 0, made.stdout + made.stderr)
(work / "rows.jsonl").write_text("".join(json.dumps({"id": f"row-{w}", "prompt": "?", "completion": w}) + "\n"
                                         for w in ("first", "second", "third", "fourth")))


def score(how, *more):
    return hone("score", "--reward", "moody", "--set", f"how={how}", "--data", "rows.jsonl", *more)


# ---- outcomes that are none, in a box --------------------------------------------------------------------------------
got = score("nan")
check("a score that is not finite is named, by its sample", "     3  moody error (the score is not finite)" in got.stdout, got.stdout)
check("the log says it of the plugin", "score that is not finite or an unknown status: 1; they are errors now (com.example.reward.moody)"
      in got.stderr, got.stderr)
got = score("unknown")
check("so is a status that is none", "     3  moody error (the reward gave an error without a reason)" in got.stdout, got.stdout)
got = score("print")
check("what is printed without an end of line is in the log", "info: no end of line (com.example.reward.moody)" in got.stderr, got.stderr)

got = score("fail")
check("a reward that fails: its reason has the call", "com.example.reward.moody: score failed" in got.stdout, got.stdout)
check("which rows failed, why, what to run next", got.returncode == 0 and "hone: moody failed on 2 of 4 rows\n  the first, row 3: " in got.stderr
      and "hone plugin validate moody" in got.stderr and "hone plugin replay" in got.stderr, got.stderr)
(work / "third.jsonl").write_text('{"completion": "third"}\n')
got = hone("score", "--reward", "moody", "--set", "how=fail", "--data", "third.jsonl")
check("a reward that failed on every row is a failure", got.returncode == 1, got.stdout)
got = score("abort")
check("a crash in a box costs one row, and says in which call and where", "     4  moody 1" in got.stdout and
      "its box died in score, sample 3: killed by signal 6 (Aborted)" in got.stdout and "moody.so+0x" in got.stdout, got.stdout)

# ---- trusted: what takes hone with it ----------------------------------------------------------------------------------
check("trusting it", hone("plugin", "trust", "moody.so").returncode == 0)
got = score("abort")
sanitized = "sanitize" in (ROOT / "build" / "configure.args").read_text() if (ROOT / "build" / "configure.args").exists() else False
if sanitized:
    skip("a crash in this process names the plugin, the call and the place", "the sanitizer reports crashes itself")
else:
    check("a crash in this process names the plugin, the call and the place", got.returncode == -6 and
          "hone: com.example.reward.moody crashed in score (Aborted), and hone with it: " in got.stderr and "moody.so+0x" in got.stderr and
          "box = true" in got.stderr, got.stderr)
got = score("exit")
check("a plugin that calls exit does not pass for success", got.returncode == 1 and
      "hone: com.example.reward.moody ended the process in score: it called exit" in got.stderr, got.stderr)
got = score("abort", "--set", "box=true")
check("the hint holds: in a box it costs its own row", got.returncode == 0 and "     4  moody 1" in got.stdout, got.stderr)
check("and no longer", hone("plugin", "revoke", "moody.so").returncode == 0)

# ---- slips on the command line ---------------------------------------------------------------------------------------
got = hone("score", "--reward", "moody", "--data", "rows.jsonl", "--allow=mody:net")
check("a grant to a name that is nearly one", "--allow=mody:net: nothing is called mody here (did you mean moody?)" in got.stderr, got.stderr)
got = hone("score", "--reward", "moody", "--data", "rows.jsonl", "--allow=moody:net")
check("and none to one that is", "nothing is called" not in got.stderr, got.stderr)
got = hone("score", "--reward", "moody", "--data", "rows.jsonl", "--allow=moody")
check("a grant of nothing", got.returncode == 2 and "--allow=moody: what it is allowed is missing" in got.stderr, got.stderr)
got = hone("score", "--reward", "format", "--set", "parts=a", "--data", "rows.jsonl")
check("how a list is written", got.returncode == 1 and "'parts=[\"a\", \"b\"]' on the command line" in got.stderr, got.stderr)
(work / "mine.lua").write_text("return {}\n")
got = hone("plugin", "inspect", "./mine.lua")
check("what to do with a file in Lua", "it makes no component" in got.stderr and "return { kind =" in got.stderr, got.stderr)
got = hone("plugin", "new", "sink", "x")
check("what a folder can be made for", got.returncode == 2 and "reward, judge, tokenizer, optimizer, source, objective or model" in got.stderr,
      got.stderr)
got = hone("plugin", "interfaces", "com.acme.tagger/1")
check("where a plugin's own interfaces are seen", got.returncode == 1 and "hone plugin describe FILE.so" in got.stderr, got.stderr)
(work / "rows.db").write_bytes(b"SQLite format 3\0" + bytes(100))
got = hone("data", "head", "rows.db")
check("a SQLite database is not read as JSON", "is a SQLite database" in got.stderr and "--source sqlite --set table=NAME" in got.stderr, got.stderr)

# ---- functions in Lua ------------------------------------------------------------------------------------------------
(work / "mistakes.lua").write_text(r"""local hone = require "hone"
local policy = hone.run { name = "mistakes", seed = 1 }:policy { model = "tiny" }
local function reason(id, score)
  local r = hone.reward { id = id, score = score }
  local rollout = policy:rollout({ "1+1=" }, { n = 4, max_tokens = 4, rewards = { r }, error_limit = 1 })
  print(id .. ": " .. tostring(rollout:samples()[2].outcomes[id].reason))
end
reason("typo", function(batch) return batch:map(function(s) return s.complition_len end) end)
reason("no", function(batch) return batch:map(function() return false end) end)
reason("nan", function(batch) return batch:map(function() return 0 / 0 end) end)
reason("short", function() return { 1 } end)
print(select(2, pcall(hone.component, { kind = "ops", id = "kernels" })))
print(select(2, pcall(function() return hone.component("optimizer", "adamw"):stepp() end)))
""")
got = hone("run", "mistakes.lua")
for want in ("typo: the function gave nil for this sample", "no: the function gave false for this sample", "nan: the score is not finite",
             "short: the function gave nil for this sample", "a component of kind ops cannot be written in Lua: it has no calls",
             'hone.optimizer/1 has no call "stepp" (did you mean "step"?)'):
    check(f"a mistake in Lua: {want}", want in got.stdout, got.stdout + got.stderr)
(work / "fails.lua").write_text(r"""local hone = require "hone"
local run = hone.run { name = "fails", seed = 1 }
local policy = run:policy { model = "tiny" }
local r = hone.reward { id = "mine", score = function(batch) return batch:map(function(s) return s.columns.x.y end) end }
policy:rollout({ "1+1=", "2+2=" }, { n = 8, max_tokens = 4, rewards = { r } })
""")
got = hone("run", "fails.lua")
check("a run that stops says which sample, and of a function where it stands", got.returncode == 1 and "reward mine failed on 16 of 16 samples"
      in got.stderr and "the last, sample 15 of step " in got.stderr and "fails.lua:4: " in got.stderr and "hone score --reward recipe." not in
      got.stderr, got.stderr)
(work / "bare.lua").write_text('local hone = require "hone"\nlocal p = hone.params { steps = 3 }\n')
got = hone("run", "bare.lua")
check("a parameter without its table", got.returncode == 2 and 'hone.params: steps: a table is wanted: steps = { default, "what it is" }'
      in got.stderr, got.stderr)

finish()
