/* exact_match.c - 1 when the answer is the reference, 0 when not.
 *
 * The answer is the whole completion, or what follows the last occurrence of a prefix ("Answer:") up to
 * the end of its line. Both sides are normalised the same way before they are compared, byte by byte.
 * The reference may be a list: any of its members will do. */
#include "rewards.h"

typedef struct exact {
    reward base;
    hone_str column, prefix;
    uint32_t on_missing, mode;
    int ignore_case, collapse, punctuation, articles;
} exact;

enum { MODE_EQUAL, MODE_CONTAINS, MODE_STARTS };
enum { F_REFERENCE, F_ON_MISSING, F_PREFIX, F_MODE, F_CASE, F_SPACE, F_PUNCTUATION, F_ARTICLES };
static const hone_field *const fields[] = {
    FIELD_REFERENCE,
    FIELD_ON_MISSING,
    HONE_STR("prefix", NULL, 0,
             "the answer is what follows the last of these on its line, as in \"Answer:\"; unset: "
             "the whole completion"),
    HONE_ENUM("mode", "equal", "equal|contains|starts", 0,
              "how the answer must agree with the reference"),
    HONE_FLAG("ignore_case", 0, 0, "fold ASCII letters"),
    HONE_FLAG("ignore_space", 1, 0, "trim, and make runs of white space one blank"),
    HONE_FLAG("ignore_punctuation", 0, 0, "leave out ASCII punctuation"),
    HONE_FLAG("ignore_articles", 0, 0, "leave out the words a, an, the"),
    NULL};

static int is_punctuation(char c)
{
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126);
}

/* Normalised copy of s into out (room for s.len). */
static size_t normalise(const exact *e, hone_str s, char *out)
{
    size_t n = 0;
    if (e->collapse)
        s = trim(s);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (e->punctuation && is_punctuation(c))
            continue;
        if (e->collapse && is_space(c)) {
            if (n > 0 && out[n - 1] != ' ')
                out[n++] = ' ';
            continue;
        }
        out[n++] = e->ignore_case ? lower(c) : c;
    }
    if (e->articles) {
        static const char *const words[] = {"a", "an", "the"};
        size_t m = 0;
        for (size_t i = 0; i < n;) {
            size_t k = i;
            int article = 0;
            while (k < n && !is_space(out[k]))
                k++;
            for (size_t w = 0; w < 3; w++) {
                size_t len = strlen(words[w]), j = 0;
                while (k - i == len && j < len && lower(out[i + j]) == words[w][j])
                    j++;
                article |= k - i == len && j == len;
            }
            while (!article && i < k)
                out[m++] = out[i++];
            i = k;
            if (i < n) {
                if (!article || !e->collapse)
                    out[m++] = out[i];
                i++;
            }
        }
        n = m;
    }
    while (e->collapse && n > 0 && out[n - 1] == ' ')
        n--;
    return n;
}

static int agrees(const exact *e, hone_str answer, hone_str want)
{
    if (e->mode == MODE_EQUAL)
        return answer.len == want.len && memcmp(answer.ptr, want.ptr, want.len) == 0;
    if (e->mode == MODE_STARTS)
        return answer.len >= want.len && memcmp(answer.ptr, want.ptr, want.len) == 0;
    return find(answer, want, 0) != SIZE_MAX;
}

/* 1, 0, or -1 when memory ran out. */
static int compare(const exact *e, hone_str answer, hone_str want)
{
    char *room = memory_get(&e->base, answer.len + want.len + 2);
    int yes;
    if (!room)
        return -1;
    hone_str a = {room, normalise(e, answer, room)};
    hone_str w = {room + answer.len + 1, normalise(e, want, room + answer.len + 1)};
    yes = agrees(e, a, w);
    memory_put(&e->base, room, answer.len + want.len + 2);
    return yes;
}

static void exact_score(const scoring *s, verdict *v)
{
    const exact *e = (const exact *)s->self;
    const hone_value *reference = reference_of(s, e->column, e->on_missing, v);
    hone_str answer = s->sample->completion;
    size_t n = 1;
    int yes = 0;
    if (!reference)
        return;
    if (e->prefix.len) {
        size_t at = find_last(answer, e->prefix), end;
        if (at == SIZE_MAX) {
            score_is(v, 0);
            return;
        }
        at += e->prefix.len;
        for (end = at; end < answer.len && answer.ptr[end] != '\n'; end++)
            ;
        answer = part(answer, at, end);
        note_text(s, "answer", trim(answer));
    }
    if (reference->type == HONE_LIST)
        n = reference->u.list.n;
    for (size_t i = 0; i < n && yes == 0; i++) {
        cell_text buf;
        hone_str want = cell_as_text(
            reference->type == HONE_LIST ? &reference->u.list.items[i] : reference, &buf);
        if (!want.ptr) {
            error_is(v, "the reference is neither text nor a number");
            return;
        }
        yes = compare(e, answer, want);
    }
    if (yes < 0)
        error_is(v, "out of memory");
    else
        score_is(v, yes);
}

void exact_match_judge(const scoring *s, hone_str column, uint32_t on_missing, verdict *v)
{
    exact e = {.base = *s->self, .column = column, .on_missing = on_missing, .collapse = 1};
    scoring inner = *s;
    inner.self = &e.base;
    exact_score(&inner, v);
}

static hone_status exact_create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *r;
    exact *e;
    hone_status s = reward_create(host, sizeof *e, exact_score, &r);
    if (s < 0)
        return s;
    e = (exact *)r;
    e->column = cfg->str(cfg, F_REFERENCE);
    e->prefix = cfg->str(cfg, F_PREFIX);
    e->on_missing = (uint32_t)cfg->i64(cfg, F_ON_MISSING);
    e->mode = (uint32_t)cfg->i64(cfg, F_MODE);
    e->ignore_case = (int)cfg->i64(cfg, F_CASE);
    e->collapse = (int)cfg->i64(cfg, F_SPACE);
    e->punctuation = (int)cfg->i64(cfg, F_PUNCTUATION);
    e->articles = (int)cfg->i64(cfg, F_ARTICLES);
    *self_out = e;
    return HONE_OK;
}

static const char *const wants[] = {"completion", "columns", NULL};
const hone_component exact_match_component = {
    REWARD_HEAD("exact_match", "1 when the answer is the reference"), .fields = fields,
    .needs = reward_needs, .wants = wants, .create = exact_create};
