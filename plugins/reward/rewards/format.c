/* format.c - does the completion have the required parts, in order?
 *
 * A preset, a list of parts (literal texts that must come one after the other), a regular expression for
 * the whole completion, or several of these. 1 when all hold; with `partial` the share that holds.
 *   boxed         \boxed{...} with balanced braces and something in it
 *   hash          a last line "#### answer"
 *   answer        a last line "Answer: answer"
 *   think_answer  <think>...</think> then <answer>...</answer>, nothing else but white space
 * With `once` a part that comes twice does not count. */
#include "rewards.h"

typedef struct format {
    reward base;
    hone_ref re;
    void *compiled;
    const hone_value *parts;
    uint32_t preset;
    int partial, once;
} format;

enum { PRESET_NONE, PRESET_BOXED, PRESET_HASH, PRESET_ANSWER, PRESET_THINK_ANSWER };
enum { F_PRESET, F_PARTS, F_PATTERN, F_PARTIAL, F_ONCE };
static const hone_field *const fields[] = {
    HONE_ENUM("preset", "none", "none|boxed|hash|answer|think_answer", 0,
              "a well-known form of answers"),
    HONE_LIST_OF("parts", 0, "texts that must come, in this order"),
    HONE_STR("pattern", NULL, 0,
             "PCRE2 expression that the whole completion must match (. takes newlines)"),
    HONE_FLAG("partial", 0, 0, "score the share of what holds"),
    HONE_FLAG("once", 0, 0, "each part may come only once"),
    NULL};

/* The last line that is not blank. */
static hone_str last_line(hone_str s)
{
    size_t i;
    s = trim(s);
    for (i = s.len; i > 0 && s.ptr[i - 1] != '\n'; i--)
        ;
    return part(s, i, s.len);
}

static int has_boxed(hone_str s)
{
    hone_str mark = hone_str_c("\\boxed{");
    for (size_t at = find(s, mark, 0); at != SIZE_MAX; at = find(s, mark, at + 1)) {
        int depth = 1;
        size_t i = at + mark.len, from = i;
        for (; i < s.len && depth > 0; i++)
            depth += s.ptr[i] == '{' ? 1 : s.ptr[i] == '}' ? -1 : 0;
        if (depth == 0 && trim(part(s, from, i - 1)).len > 0)
            return 1;
    }
    return 0;
}

static int line_with(hone_str s, const char *mark)
{
    hone_str line = last_line(s);
    return starts_with(line, mark) && trim(part(line, strlen(mark), line.len)).len > 0;
}

static int thinks_and_answers(hone_str s)
{
    static const char *const tags[] = {"<think>", "</think>", "<answer>", "</answer>"};
    size_t at[4], from = 0;
    s = trim(s);
    for (size_t i = 0; i < 4; i++) {
        hone_str tag = hone_str_c(tags[i]);
        at[i] = find(s, tag, from);
        if (at[i] == SIZE_MAX || find(s, tag, at[i] + 1) != SIZE_MAX)
            return 0;
        from = at[i] + tag.len;
    }
    return at[0] == 0 && from == s.len && trim(part(s, at[1] + 8, at[2])).len == 0 &&
           trim(part(s, at[2] + 8, at[3])).len > 0;
}

static int preset_holds(uint32_t preset, hone_str s)
{
    switch (preset) {
    case PRESET_BOXED:
        return has_boxed(s);
    case PRESET_HASH:
        return line_with(s, "####");
    case PRESET_ANSWER:
        return line_with(s, "Answer:");
    default:
        return thinks_and_answers(s);
    }
}

static void format_score(const scoring *s, verdict *v)
{
    const format *f = (const format *)s->self;
    hone_str text = s->sample->completion;
    size_t asked = 0, held = 0, from = 0;
    if (f->preset != PRESET_NONE) {
        asked++;
        held += (size_t)preset_holds(f->preset, text);
    }
    for (size_t i = 0; f->parts && i < f->parts->u.list.n; i++) {
        hone_str p = f->parts->u.list.items[i].u.str;
        size_t at = find(text, p, from);
        asked++;
        if (at == SIZE_MAX)
            continue;
        held += !(f->once && (find(text, p, 0) != at || find(text, p, at + 1) != SIZE_MAX));
        from = at + p.len;
    }
    if (f->compiled) {
        size_t span[2];
        hone_status st =
            ((const hone_regex_v1 *)f->re.vt)->match(f->re.self, f->compiled, text, 0, span, 1);
        if (st < 0) {
            error_is(v, st == HONE_E_LIMIT ? "the expression hit its match limit"
                                           : "the expression could not be matched");
            return;
        }
        asked++;
        held += st > 0 && span[0] == 0 && span[1] == text.len;
    }
    score_is(v, f->partial ? (double)held / (double)asked : held == asked);
}

static void format_release(reward *base)
{
    format *f = (format *)base;
    if (f->compiled)
        ((const hone_regex_v1 *)f->re.vt)->release(f->re.self, f->compiled);
}

static hone_status format_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    format *f;
    hone_str pattern = cfg->str(cfg, F_PATTERN);
    hone_status s = reward_create(host, sizeof *f, format_score, &base);
    if (s < 0)
        return s;
    f = (format *)base;
    base->release = format_release;
    f->preset = (uint32_t)cfg->i64(cfg, F_PRESET);
    f->parts = cfg->value(cfg, F_PARTS);
    f->partial = (int)cfg->i64(cfg, F_PARTIAL);
    f->once = (int)cfg->i64(cfg, F_ONCE);
    for (size_t i = 0; f->parts && i < f->parts->u.list.n; i++)
        if (f->parts->u.list.items[i].type != HONE_STRING ||
            f->parts->u.list.items[i].u.str.len == 0) {
            s = hone_host_fail(host, HONE_E_INVALID, "format: part %zu is not a text", i + 1);
            goto failed;
        }
    if (f->preset == PRESET_NONE && (!f->parts || f->parts->u.list.n == 0) && !pattern.len) {
        s = hone_host_fail(host, HONE_E_INVALID,
                           "format: nothing is required: set preset, parts or pattern");
        goto failed;
    }
    if (pattern.len) {
        s = host->get_iface(host, HONE_IFACE_REGEX, &f->re);
        if (s >= 0)
            s = ((const hone_regex_v1 *)f->re.vt)
                    ->compile(f->re.self, pattern, HONE_REGEX_DOTALL, &f->compiled);
        if (s < 0)
            goto failed;
    }
    *self_out = f;
    return HONE_OK;
failed:
    reward_destroy(f);
    return s;
}

static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_REGEX, NULL};
static const char *const wants[] = {"completion", NULL};
const hone_component format_component = {
    REWARD_HEAD("format", "required parts of the completion, in order"), .fields = fields,
    .needs = needs, .wants = wants, .create = format_create};
