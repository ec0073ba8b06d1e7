/* length.c - how long the completion is, against a target, a maximum or a minimum.
 *
 *   target  1 at `value`, falling straight to 0 at `value` +- `soft`
 *   max     1 up to `value`, falling straight to 0 at `value` + `soft`
 *   min     1 from `value` on, falling straight to 0 at `value` - `soft`
 * Soft 0 is a hard edge. Length counts tokens (characters where a sample carries none), UTF-8
 * characters, or words (runs without white space). */
#include "rewards.h"

typedef struct length {
    reward base;
    uint32_t unit, mode;
    double value, soft;
} length;

enum { MODE_TARGET, MODE_MAX, MODE_MIN };
enum { F_UNIT, F_MODE, F_VALUE, F_SOFT };
static const hone_field *const fields[] = {
    HONE_ENUM("unit", "chars", "tokens|chars|words", 0, "what is counted"),
    HONE_ENUM("mode", "max", "target|max|min", 0, "what the length is compared as"),
    HONE_F64("value", 500, 0, 1e9, 0, "target, maximum or minimum"),
    HONE_F64("soft", 0, 0, 1e9, 0, "width over which the score falls from 1 to 0"), NULL};

static void length_score(const scoring *s, verdict *v)
{
    const length *l = (const length *)s->self;
    double n = length_of(s->sample, l->unit), over = n - l->value;
    if (l->mode == MODE_MIN)
        over = -over;
    else if (l->mode == MODE_TARGET && over < 0)
        over = -over;
    note_number(s, "length", n);
    score_is(v, over <= 0 ? 1 : over >= l->soft ? 0 : 1 - over / l->soft);
}

static hone_status length_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    length *l;
    hone_status s = reward_create(host, sizeof *l, length_score, &base);
    if (s < 0)
        return s;
    l = (length *)base;
    l->unit = (uint32_t)cfg->i64(cfg, F_UNIT);
    l->mode = (uint32_t)cfg->i64(cfg, F_MODE);
    l->value = cfg->f64(cfg, F_VALUE);
    l->soft = cfg->f64(cfg, F_SOFT);
    *self_out = l;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "tokens", NULL};
const hone_component length_component = {
    REWARD_HEAD("length", "length of the completion against a bound"), .fields = fields,
    .needs = reward_needs, .wants = wants, .create = length_create};
