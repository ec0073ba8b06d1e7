/* endpoint_reply.c - see endpoint_reply.h. The body is the host's value tree: any shape may come, and nothing of it is believed
 * before its type was looked at.
 *
 * Log-probs of labels. The reply's tokens are joined until the first one that carries the label; what stands before it may be
 * the wanted prefix, white space, quotes or asterisks only. At that token the listed alternatives are added up by the label
 * that they are. A token that only begins a label ("1" of "10") is a label of its own, too, or belongs to one that goes on: where it was
 * the one taken, the next token's alternatives tell how it goes on; where it was not, nobody knows, and the answer is
 * "cannot be told" rather than a guess (unless it is too unlikely to matter).
 * Source: OpenAI's and llama.cpp's description of /v1/chat/completions. */
#include "endpoint_reply.h"

#include <math.h>
#include <string.h>

enum { TOKENS_MAX = 64, ALTERNATIVES_MAX = 64 };
#define SMALL 1e-4 /* probability of what may be left unresolved */

/* ---- looking at values ------------------------------------------------------------------------------------- */

static const hone_value *member(const hone_value *map, const char *key)
{
    const size_t n = strlen(key);
    if (!map || map->type != HONE_MAP)
        return NULL;
    for (size_t i = 0; i < map->u.map.n; i++) {
        const hone_pair *p = &map->u.map.pairs[i];
        if (p->key.len == n && memcmp(p->key.ptr, key, n) == 0)
            return &p->value;
    }
    return NULL;
}

static hone_str text_of(const hone_value *v)
{
    return v && v->type == HONE_STRING ? v->u.str : (hone_str){NULL, 0};
}

static int number_of(const hone_value *v, double *out)
{
    if (v && v->type == HONE_F64 && isfinite(v->u.f64))
        *out = v->u.f64;
    else if (v && v->type == HONE_I64)
        *out = (double)v->u.i64;
    else
        return 0;
    return 1;
}

static int count_of(const hone_value *v, uint64_t *out)
{
    double x;
    if (!number_of(v, &x) || x < 0 || x > 1e15)
        return 0;
    *out = (uint64_t)x;
    return 1;
}

static const hone_value *list_of(const hone_value *v)
{
    return v && v->type == HONE_LIST ? v : NULL;
}

static int is(hone_str s, const char *z)
{
    return s.len == strlen(z) && memcmp(s.ptr, z, s.len) == 0;
}

/* ---- the reply ------------------------------------------------------------------------------------------------ */

/* "content": a text, or a list of parts of which those of type text count. 0: no memory. */
static int join_parts(const hone_value *v, pool *p, hone_str *out)
{
    grown g;
    if (!list_of(v)) {
        *out = text_of(v);
        return 1;
    }
    grown_init(&g, p, (size_t)1 << 30);
    for (size_t i = 0; i < v->u.list.n; i++) {
        const hone_str part = text_of(member(&v->u.list.items[i], "text"));
        grown_add(&g, part.ptr, part.len);
    }
    *out = g.failed ? (hone_str){NULL, 0} : pool_copy(p, (hone_str){g.ptr, g.len});
    const int ok = out->ptr != NULL;
    grown_release(&g);
    return ok;
}

static int wrong(endpoint_reply *out, const char *why)
{
    out->detail = HONE_VERDICT_UNPARSED;
    out->why = hone_str_c(why);
    return 1;
}

int endpoint_reply_read(const hone_value *body, pool *p, endpoint_reply *out)
{
    const hone_value *choices = list_of(member(body, "choices")), *usage = member(body, "usage");
    memset(out, 0, sizeof *out);
    out->model = text_of(member(body, "model"));
    out->has_usage = count_of(member(usage, "prompt_tokens"), &out->tokens_in) &&
                     count_of(member(usage, "completion_tokens"), &out->tokens_out);
    if (!body || body->type != HONE_MAP)
        return wrong(out, "the response is no JSON object");
    if (!choices || choices->u.list.n == 0)
        return wrong(out, "the response has no choices");
    const hone_value *choice = &choices->u.list.items[0], *message = member(choice, "message");
    const hone_str finish = text_of(member(choice, "finish_reason"));
    const hone_str refusal = text_of(member(message, "refusal"));
    if (!message || message->type != HONE_MAP)
        return wrong(out, "the choice has no message");
    if (!join_parts(member(message, "content"), p, &out->text))
        return 0;
    out->logprobs = list_of(member(member(choice, "logprobs"), "content"));
    if (refusal.len || is(finish, "content_filter")) {
        out->detail = HONE_VERDICT_REFUSED;
        out->why = refusal.len ? refusal : hone_str_c("content_filter");
    } else if (is(finish, "length")) {
        out->detail = HONE_VERDICT_TRUNCATED;
        out->why = hone_str_c("the reply reached max_tokens");
    } else if (out->text.len == 0) {
        return wrong(out, "the reply is empty");
    }
    return 1;
}

hone_str endpoint_error(const hone_value *body)
{
    const hone_value *error = member(body, "error");
    hone_str s = text_of(member(error, "message"));
    if (!s.len)
        s = text_of(error);
    if (!s.len)
        s = text_of(member(body, "message"));
    if (!s.len)
        s = text_of(member(body, "detail"));
    return s;
}

/* ---- labels ---------------------------------------------------------------------------------------------------- */

static int passed_over(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '*' || c == '"' || c == '\'' ||
           c == '`';
}

static hone_str trimmed(hone_str s)
{
    while (s.len && passed_over(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && passed_over(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static int starts(hone_str s, hone_str with)
{
    return with.len && s.len >= with.len && memcmp(s.ptr, with.ptr, with.len) == 0;
}

static int same(hone_str a, hone_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Some label begins with `s`: 1, or is `s` as a whole: 2 added. */
static int fits(hone_str s, const hone_str *labels, size_t n)
{
    int how = 0;
    for (size_t i = 0; i < n && s.len; i++) {
        const hone_str l = trimmed(labels[i]);
        if (same(l, s))
            how |= 2;
        else if (starts(l, s))
            how |= 1;
    }
    return how;
}

/* The token at which the label begins, and what of its text is not label. n: none. */
static size_t find_label(const hone_value *tokens, size_t n, hone_str prefix,
                         const hone_str *labels, size_t n_labels)
{
    char so_far[512];
    size_t len = 0;
    prefix = trimmed(prefix);
    for (size_t i = 0; i < n && i < TOKENS_MAX; i++) {
        const hone_str t = text_of(member(&tokens->u.list.items[i], "token"));
        const hone_str before = trimmed((hone_str){so_far, len});
        if ((before.len == 0 || same(before, prefix)) && fits(trimmed(t), labels, n_labels))
            return i;
        if (t.len > sizeof so_far - len)
            return n;
        if (t.len)
            memcpy(so_far + len, t.ptr, t.len);
        len += t.len;
        const hone_str now = trimmed((hone_str){so_far, len});
        if (now.len && !starts(prefix, now))
            return n; /* something else than what it was to begin with */
    }
    return n;
}

/* Alternatives at one token: each once, the one that was taken among them. */
typedef struct listed {
    hone_str raw, text; /* text: trimmed */
    double p;
} listed;

static size_t alternatives(const hone_value *token, listed *out, size_t *taken)
{
    const hone_value *top = list_of(member(token, "top_logprobs"));
    const hone_str own = text_of(member(token, "token"));
    double logprob;
    size_t n = 0;
    *taken = ALTERNATIVES_MAX;
    for (size_t i = 0; top && i < top->u.list.n && n + 1 < ALTERNATIVES_MAX; i++) {
        const hone_value *v = &top->u.list.items[i];
        const hone_str t = text_of(member(v, "token"));
        if (!t.len || !number_of(member(v, "logprob"), &logprob) || logprob > 1e-3)
            continue;
        if (same(t, own))
            *taken = n;
        out[n].raw = t;
        out[n].text = trimmed(t);
        out[n++].p = exp(logprob < 0 ? logprob : 0);
    }
    if (*taken == ALTERNATIVES_MAX && own.len && number_of(member(token, "logprob"), &logprob) &&
        logprob <= 1e-3) {
        *taken = n;
        out[n].raw = own;
        out[n].text = trimmed(own);
        out[n++].p = exp(logprob < 0 ? logprob : 0);
    }
    return n;
}

/* Adds p times what follows `begun` at token `at` to the labels that go on so. 0: it cannot be told. */
static int follow(const hone_value *tokens, size_t at, hone_str begun, double p,
                  const hone_str *labels, size_t n_labels, double *probs, int depth)
{
    listed all[ALTERNATIVES_MAX];
    char joined[64];
    double went_on = 0;
    size_t taken, n;
    const hone_value *token = at < tokens->u.list.n ? &tokens->u.list.items[at]
                                                    : NULL; /* past the end: it stops here */
    n = token ? alternatives(token, all, &taken) : 0;
    if (token && n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const hone_str more = all[i].text;
        if (more.len == 0 || more.ptr != all[i].raw.ptr || begun.len + more.len > sizeof joined)
            continue; /* one with a space in front begins another word */
        memcpy(joined, begun.ptr, begun.len);
        memcpy(joined + begun.len, more.ptr, more.len);
        const hone_str longer = {joined, begun.len + more.len};
        const int how = fits(longer, labels, n_labels);
        if (!how)
            continue;
        went_on += all[i].p;
        if (how & 1) { /* may go on further */
            if (i != taken || depth == 0) {
                if (p * all[i].p > SMALL)
                    return 0;
                continue;
            }
            if (!follow(tokens, at + 1, longer, p * all[i].p, labels, n_labels, probs, depth - 1))
                return 0;
            continue;
        }
        for (size_t k = 0; k < n_labels; k++)
            if (same(trimmed(labels[k]), longer))
                probs[k] += p * all[i].p;
    }
    for (size_t k = 0; k < n_labels; k++)
        if (same(trimmed(labels[k]), begun))
            probs[k] += p * (went_on < 1 ? 1 - went_on : 0);
    return 1;
}

/* Every label that goes on behind `s` is listed as a token of its own, so that `s` is whole. */
static int whole(hone_str s, const listed *all, size_t n, const hone_str *labels, size_t n_labels)
{
    for (size_t k = 0; k < n_labels; k++) {
        const hone_str l = trimmed(labels[k]);
        size_t i = 0;
        if (l.len <= s.len || !starts(l, s))
            continue;
        while (i < n && !same(all[i].text, l))
            i++;
        if (i == n)
            return 0;
    }
    return 1;
}

int endpoint_labels(const hone_value *tokens, hone_str prefix, const hone_str *labels,
                    size_t n_labels, double *out)
{
    listed all[ALTERNATIVES_MAX];
    size_t taken;
    if (!list_of(tokens) || n_labels == 0)
        return 0;
    const size_t at = find_label(tokens, tokens->u.list.n, prefix, labels, n_labels);
    if (at >= tokens->u.list.n || at >= TOKENS_MAX)
        return 0;
    const size_t n = alternatives(&tokens->u.list.items[at], all, &taken);
    if (n == 0 || taken >= n || (n == 1 && all[0].p < 1 - SMALL))
        return 0; /* no alternatives are listed */
    for (size_t k = 0; k < n_labels; k++)
        out[k] = 0;
    for (size_t i = 0; i < n; i++) {
        const int how = fits(all[i].text, labels, n_labels);
        if ((how & 1) && !((how & 2) && whole(all[i].text, all, n, labels, n_labels))) {
            if (i == taken) {
                if (!follow(tokens, at + 1, all[i].text, all[i].p, labels, n_labels, out, 4))
                    return 0;
            } else if (all[i].p > SMALL) {
                return 0;
            }
            continue;
        }
        for (size_t k = 0; k < n_labels && how; k++)
            if (same(trimmed(labels[k]), all[i].text))
                out[k] += all[i].p;
    }
    for (size_t k = 0; k < n_labels; k++)
        out[k] = out[k] > 0 ? log(out[k] < 1 ? out[k] : 1) : -(double)INFINITY;
    return 1;
}

/* ---- names of models -------------------------------------------------------------------------------------------- */

static int digit(char c)
{
    return c >= '0' && c <= '9';
}

int endpoint_floats(hone_str m)
{
    size_t run = 0;
    for (size_t i = 0; i + 6 <= m.len; i++)
        if (memcmp(m.ptr + i, "latest", 6) == 0)
            return 1;
    for (size_t i = 0; i < m.len; i++) {
        if (m.ptr[i] == '/' || m.ptr[i] == ':' || m.ptr[i] == '@')
            return 0;
        if (digit(m.ptr[i])) {
            run++;
            continue;
        }
        /* ...-2024-08-06: a year between marks */
        if (run == 4 && m.ptr[i] == '-' && i + 2 < m.len && digit(m.ptr[i + 1]) &&
            digit(m.ptr[i + 2]))
            return 0;
        if (run >= 6)
            return 0;
        run = 0;
    }
    if (run == 4 || run >= 6) /* gpt-4-0613, claude-...-20241022 */
        return 0;
    return !(m.len > 5 && memcmp(m.ptr + m.len - 5, ".gguf", 5) == 0);
}
