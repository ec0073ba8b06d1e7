/* soft_overlong.c - DAPO's soft punishment of completions that are too long.
 *
 *   0                                          |y| <= max_length - cache
 *   ((max_length - cache) - |y|) / cache       between: falling from 0 to -1
 *   -1                                         |y| > max_length
 * It is added to the reward of the answer. The defaults are the paper's: 16,384 tokens expected, 4,096 more in which the
 * punishment grows, no cut below 20,480. A `cache` of 0 is a hard edge. A sample without token ids is an error where tokens
 * are counted: characters in their place would punish what nobody asked for. Source: Yu et al. 2025, "DAPO: An Open-Source
 * LLM Reinforcement Learning System at Scale", equation 13. */
#include "rewards.h"

typedef struct overlong {
    reward base;
    uint32_t unit;
    double most, cache;
} overlong;

enum { F_UNIT, F_MOST, F_CACHE };
static const hone_field *const fields[] = {
    HONE_ENUM("unit", "tokens", "tokens|chars|words", 0, "what is counted"),
    HONE_F64("max_length", 20480, 1, 1e9, 0, "length from which the punishment is -1"),
    HONE_F64("cache", 4096, 0, 1e9, 0, "width below it over which the punishment grows"), NULL};

static void overlong_score(const scoring *s, verdict *v)
{
    const overlong *o = (const overlong *)s->self;
    const double n = length_of(s->sample, o->unit), from = o->most - o->cache;
    if (o->unit == LENGTH_TOKENS && !s->sample->tokens && s->sample->completion.len) {
        error_is(v, "the sample carries no token ids: unit = \"chars\" or \"words\" needs none");
        return;
    }
    note_number(s, "length", n);
    score_is(v, n <= from ? 0 : n > o->most ? -1 : (from - n) / o->cache);
}

static hone_status overlong_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    const double most = cfg->f64(cfg, F_MOST), cache = cfg->f64(cfg, F_CACHE);
    if (cache > most)
        return hone_host_fail(host, HONE_E_INVALID,
                              "soft_overlong: cache %g is larger than max_length %g", cache, most);
    const hone_status s = reward_create(host, sizeof(overlong), overlong_score, &base);
    if (s < 0)
        return s;
    overlong *o = (overlong *)base;
    o->unit = (uint32_t)cfg->i64(cfg, F_UNIT);
    o->most = most;
    o->cache = cache;
    *self_out = o;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "tokens", NULL};
const hone_component soft_overlong_component = {
    REWARD_HEAD("soft_overlong", "DAPO's punishment of overlong completions, 0 to -1"),
    .fields = fields, .needs = reward_needs, .wants = wants, .create = overlong_create};
