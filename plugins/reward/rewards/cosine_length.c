/* cosine_length.c - right answers are worth more when short, wrong ones cost less when long.
 *
 *   score = long + (short - long) (1 + cos(pi |y| / max_length)) / 2,   and `exceeded` where |y| >= max_length
 * with (short, long) of right or of wrong answers. So a right answer falls from correct_short to correct_long, a wrong one
 * rises from wrong_short to wrong_long: a model that is not there yet is led to think longer, one that is, to be brief. Right
 * is what math_answer (or exact_match) with its defaults gives 1. Defaults: the paper's 2, 1, -10, 0, -10. A sample without
 * token ids is an error where tokens are counted. Source: Yeo et al. 2025, "Demystifying Long Chain-of-Thought Reasoning in
 * LLMs", section 4.2 (its CosFn, written so that the value at length 0 comes first). */
#include "rewards.h"

#include <math.h>

typedef struct cosine {
    reward base;
    uint32_t unit, judged, on_missing;
    double most, right_short, right_long, wrong_short, wrong_long, exceeded;
    hone_str column;
} cosine;

enum { BY_MATH, BY_EXACT };
enum {
    F_REFERENCE,
    F_ON_MISSING,
    F_CORRECT,
    F_UNIT,
    F_MOST,
    F_RIGHT_SHORT,
    F_RIGHT_LONG,
    F_WRONG_SHORT,
    F_WRONG_LONG,
    F_EXCEEDED
};
static const hone_field *const fields[] = {
    FIELD_REFERENCE,
    FIELD_ON_MISSING,
    HONE_ENUM("correct", "math_answer", "math_answer|exact_match", 0,
              "the reward that says whether an answer is right"),
    HONE_ENUM("unit", "tokens", "tokens|chars|words", 0, "what is counted"),
    HONE_F64("max_length", 16384, 1, 1e9, 0, "length at which an answer counts as cut off"),
    HONE_F64("correct_short", 2, -1e6, 1e6, 0, "right, at length 0"),
    HONE_F64("correct_long", 1, -1e6, 1e6, 0, "right, close to max_length"),
    HONE_F64("wrong_short", -10, -1e6, 1e6, 0, "wrong, at length 0"),
    HONE_F64("wrong_long", 0, -1e6, 1e6, 0, "wrong, close to max_length"),
    HONE_F64("exceeded", -10, -1e6, 1e6, 0, "right or wrong, from max_length on"),
    NULL};

static void cosine_score(const scoring *s, verdict *v)
{
    const cosine *c = (const cosine *)s->self;
    const double n = length_of(s->sample, c->unit);
    if (c->unit == LENGTH_TOKENS && !s->sample->tokens && s->sample->completion.len) {
        error_is(v, "the sample carries no token ids: unit = \"chars\" or \"words\" needs none");
        return;
    }
    if (c->judged == BY_MATH)
        math_answer_judge(s, c->column, c->on_missing, v);
    else
        exact_match_judge(s, c->column, c->on_missing, v);
    if (v->status != HONE_SCORE)
        return;
    const int right = v->score > 0;
    const double from = right ? c->right_short : c->wrong_short,
                 to = right ? c->right_long : c->wrong_long;
    note_number(s, "length", n);
    note_number(s, "correct", right);
    score_is(v, n >= c->most
                    ? c->exceeded
                    : to + (from - to) * (1 + cos(3.14159265358979323846 * n / c->most)) / 2);
}

static hone_status cosine_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    const hone_status s = reward_create(host, sizeof(cosine), cosine_score, &base);
    if (s < 0)
        return s;
    cosine *c = (cosine *)base;
    c->column = cfg->str(cfg, F_REFERENCE);
    c->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    c->judged = (uint32_t)cfg->i64(cfg, F_CORRECT);
    c->unit = (uint32_t)cfg->i64(cfg, F_UNIT);
    c->most = cfg->f64(cfg, F_MOST);
    c->right_short = cfg->f64(cfg, F_RIGHT_SHORT);
    c->right_long = cfg->f64(cfg, F_RIGHT_LONG);
    c->wrong_short = cfg->f64(cfg, F_WRONG_SHORT);
    c->wrong_long = cfg->f64(cfg, F_WRONG_LONG);
    c->exceeded = cfg->f64(cfg, F_EXCEEDED);
    *self_out = c;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "tokens", "columns", NULL};
const hone_component cosine_length_component = {
    REWARD_HEAD("cosine_length", "right answers short, wrong ones long, along a cosine"),
    .fields = fields, .needs = reward_needs, .wants = wants, .create = cosine_create};
