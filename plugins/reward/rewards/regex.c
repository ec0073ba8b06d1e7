/* regex.c - a regular expression on the completion: found, found whole, or counted.
 *
 * The host's hone.regex/1 (PCRE2 with limits) does the matching. A match limit that was hit is an error
 * of the sample with the reason, never "no match". With `group` and a reference column the text of that
 * group must equal the column. */
#include "rewards.h"

typedef struct regex {
    reward base;
    hone_ref re;
    void *compiled;
    hone_str column;
    uint32_t on_missing, mode;
    int invert;
    size_t group;
    int64_t max_count;
} regex;

enum { MODE_SEARCH, MODE_FULL, MODE_COUNT };
enum { MAX_GROUPS = 32 };
enum {
    F_PATTERN,
    F_MODE,
    F_CASE,
    F_MULTILINE,
    F_DOTALL,
    F_INVERT,
    F_GROUP,
    F_REFERENCE,
    F_ON_MISSING,
    F_MAX
};
static const hone_field *const fields[] = {
    HONE_STR("pattern", NULL, HONE_REQUIRED, "PCRE2 expression"),
    HONE_ENUM("mode", "search", "search|full|count", 0,
              "found anywhere; the whole completion; share of max_count matches found"),
    HONE_FLAG("ignore_case", 0, 0, "fold letters"),
    HONE_FLAG("multiline", 0, 0, "^ and $ at lines"),
    HONE_FLAG("dotall", 0, 0, ". takes newlines too"),
    HONE_FLAG("invert", 0, 0, "1 when it does not match"),
    HONE_INT("group", 0, 0, MAX_GROUPS - 1, 0,
             "compare this group with the reference column; 0: no comparison"),
    FIELD_REFERENCE,
    FIELD_ON_MISSING,
    HONE_INT("max_count", 1, 1, 1000000, 0, "of mode count"),
    NULL};

static void regex_score(const scoring *s, verdict *v)
{
    const regex *r = (const regex *)s->self;
    const hone_regex_v1 *vt = r->re.vt;
    hone_str text = s->sample->completion;
    size_t spans[2 * MAX_GROUPS], from = 0, shortest;
    int64_t count = 0;
    hone_status st;
    for (;;) {
        st = vt->match(r->re.self, r->compiled, text, from, spans, MAX_GROUPS);
        if (st <= 0)
            break;
        count++;
        if (r->mode != MODE_COUNT || count >= r->max_count)
            break;
        shortest = spans[1] > spans[0] ? spans[1] : spans[1] + 1;
        while (shortest < text.len && ((unsigned char)text.ptr[shortest] & 0xC0) == 0x80)
            shortest++;
        if (shortest > text.len)
            break;
        from = shortest;
    }
    if (st < 0) {
        error_is(v, st == HONE_E_LIMIT ? "the expression hit its match limit"
                                       : "the expression could not be matched");
        return;
    }
    if (r->mode == MODE_FULL && count && (spans[0] != 0 || spans[1] != text.len))
        count = 0;
    if (r->group && count) {
        const hone_value *reference = reference_of(s, r->column, r->on_missing, v);
        cell_text buf;
        hone_str want, got = {"", 0};
        if (!reference)
            return;
        want = trim(cell_as_text(reference, &buf));
        if (spans[2 * r->group] != SIZE_MAX)
            got = trim(part(text, spans[2 * r->group], spans[2 * r->group + 1]));
        note_text(s, "answer", got);
        count = got.len == want.len && want.ptr && memcmp(got.ptr, want.ptr, want.len) == 0;
    }
    if (r->mode == MODE_COUNT)
        score_is(v, r->invert ? 1 - (double)count / (double)r->max_count
                              : (double)count / (double)r->max_count);
    else
        score_is(v, (count > 0) != r->invert);
}

static void regex_release(reward *base)
{
    regex *r = (regex *)base;
    if (r->compiled)
        ((const hone_regex_v1 *)r->re.vt)->release(r->re.self, r->compiled);
}

static hone_status regex_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *base;
    regex *r;
    uint32_t flags = 0;
    hone_status s = reward_create(host, sizeof *r, regex_score, &base);
    if (s < 0)
        return s;
    r = (regex *)base;
    base->release = regex_release;
    s = host->get_iface(host, HONE_IFACE_REGEX, &r->re);
    if (s >= 0) {
        flags |= cfg->i64(cfg, F_CASE) ? HONE_REGEX_CASELESS : 0;
        flags |= cfg->i64(cfg, F_MULTILINE) ? HONE_REGEX_MULTILINE : 0;
        flags |= cfg->i64(cfg, F_DOTALL) ? HONE_REGEX_DOTALL : 0;
        s = ((const hone_regex_v1 *)r->re.vt)
                ->compile(r->re.self, cfg->str(cfg, F_PATTERN), flags, &r->compiled);
    }
    if (s < 0) {
        reward_destroy(r);
        return s;
    }
    r->mode = (uint32_t)cfg->i64(cfg, F_MODE);
    r->invert = (int)cfg->i64(cfg, F_INVERT);
    r->group = (size_t)cfg->i64(cfg, F_GROUP);
    r->column = cfg->str(cfg, F_REFERENCE);
    r->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    r->max_count = cfg->i64(cfg, F_MAX);
    *self_out = r;
    return HONE_OK;
}

static const char *const needs[] = {HONE_IFACE_MEM, HONE_IFACE_REGEX, NULL};
static const char *const wants[] = {"completion", "columns", NULL};
const hone_component regex_component = {
    REWARD_HEAD("regex", "a regular expression on the completion"), .fields = fields,
    .needs = needs, .wants = wants, .create = regex_create};
