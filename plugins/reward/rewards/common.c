/* common.c - the batch loop of all rewards here, and their helpers. See rewards.h. */
#include "rewards.h"

#include <math.h>
#include <stdio.h>

const char *const reward_provides[] = {HONE_IFACE_REWARD, NULL};
const char *const reward_needs[] = {HONE_IFACE_MEM, NULL};

void verdict_is_out(const scoring *s, verdict *v, hone_outcome *out, size_t out_stride)
{
    if (v->status == HONE_SCORE && !isfinite((float)v->score)) {
        v->status = HONE_ERROR;
        v->reason = "the score is not finite";
    }
    if (v->status != HONE_SCORE && v->reason) {
        note_text(s, "reason", hone_str_c(v->reason));
        if (v->status == HONE_ERROR)
            hone_host_fail(s->self->host, HONE_E_INVALID, "%s", v->reason);
    }
    hone_outcome_set(out, out_stride, s->index, v->status,
                     v->status == HONE_SCORE ? (float)v->score : 0);
}

static hone_status score_batch(void *self, const hone_call *call, const hone_sample *in, size_t n,
                               size_t in_stride, hone_outcome *out, size_t out_stride,
                               const hone_notes *notes)
{
    const reward *r = self;
    for (size_t i = 0; i < n; i++) {
        verdict v = {HONE_ERROR, 0, NULL, {0}};
        scoring s = {r, hone_sample_at(in, in_stride, i), i, notes};
        if (hone_cancelled(call))
            return hone_host_fail(r->host, HONE_E_CANCELLED, "cancelled after %zu of %zu samples",
                                  i, n);
        r->score(&s, &v);
        verdict_is_out(&s, &v, out, out_stride);
    }
    return HONE_OK;
}

static const hone_reward_v1 vtable = {sizeof(hone_reward_v1), 0, score_batch, NULL, NULL};

const void *reward_get_iface(void *self, const char *iface_id)
{
    (void)self;
    return strcmp(iface_id, HONE_IFACE_REWARD) == 0 ? &vtable : NULL;
}

hone_status reward_create(const hone_host *host, size_t size, score_fn score, reward **out)
{
    hone_ref mem;
    reward *r;
    hone_status s = host->get_iface(host, HONE_IFACE_MEM, &mem);
    if (s < 0)
        return s;
    r = ((const hone_mem_v1 *)mem.vt)->resize(mem.self, NULL, 0, size);
    if (!r)
        return hone_host_fail(host, HONE_E_NOMEM, "out of memory");
    memset(r, 0, size);
    r->host = host;
    r->mem = mem;
    r->size = size;
    r->score = score;
    *out = r;
    return HONE_OK;
}

void reward_destroy(void *self)
{
    reward *r = self;
    if (r->release)
        r->release(r);
    memory_put(r, r, r->size);
}

void *memory_get(const reward *r, size_t size)
{
    void *p = ((const hone_mem_v1 *)r->mem.vt)->resize(r->mem.self, NULL, 0, size ? size : 1);
    if (!p)
        hone_host_fail(r->host, HONE_E_NOMEM, "out of memory for %zu bytes", size);
    return p;
}

void memory_put(const reward *r, void *p, size_t size)
{
    hone_ref mem = r->mem;
    if (p)
        ((const hone_mem_v1 *)mem.vt)->resize(mem.self, p, size ? size : 1, 0);
}

void note_text(const scoring *s, const char *name, hone_str text)
{
    hone_value v = {.type = HONE_STRING, .u.str = text};
    if (s->notes && s->notes->put)
        s->notes->put(s->notes, s->index, hone_str_c(name), &v);
}

void note_number(const scoring *s, const char *name, double x)
{
    hone_value v = {.type = HONE_F64, .u.f64 = x};
    if (s->notes && s->notes->put)
        s->notes->put(s->notes, s->index, hone_str_c(name), &v);
}

hone_str trim(hone_str s)
{
    while (s.len && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

int same(hone_str a, const char *z)
{
    size_t n = strlen(z);
    return a.len == n && memcmp(a.ptr, z, n) == 0;
}

int starts_with(hone_str s, const char *z)
{
    size_t n = strlen(z);
    return s.len >= n && memcmp(s.ptr, z, n) == 0;
}

size_t find(hone_str s, hone_str what, size_t from)
{
    if (what.len == 0)
        return from <= s.len ? from : SIZE_MAX;
    while (from < s.len && s.len - from >= what.len) {
        const char *p = memchr(s.ptr + from, what.ptr[0], s.len - from - what.len + 1);
        if (!p)
            return SIZE_MAX;
        from = (size_t)(p - s.ptr);
        if (memcmp(p, what.ptr, what.len) == 0)
            return from;
        from++;
    }
    return SIZE_MAX;
}

size_t find_last(hone_str s, hone_str what)
{
    if (what.len > s.len)
        return SIZE_MAX;
    for (size_t i = s.len - what.len + 1; i-- > 0;)
        if (memcmp(s.ptr + i, what.ptr, what.len) == 0)
            return i;
    return SIZE_MAX;
}

hone_str cell_as_text(const hone_value *v, cell_text *buf)
{
    hone_str none = {NULL, 0};
    if (!v)
        return none;
    switch (v->type) {
    case HONE_STRING:
        if (!v->u.str.ptr)
            return hone_str_c("");
        return v->u.str;
    case HONE_I64:
        snprintf(buf->number, sizeof buf->number, "%lld", (long long)v->u.i64);
        return hone_str_c(buf->number);
    case HONE_F64:
        for (int digits = 1; digits <= 17; digits++) { /* the shortest that reads back equal */
            snprintf(buf->number, sizeof buf->number, "%.*g", digits, v->u.f64);
            if (strtod(buf->number, NULL) == v->u.f64)
                break;
        }
        for (char *c = buf->number; *c; c++) /* whatever the locale's decimal point is */
            if (*c == ',')
                *c = '.';
        return hone_str_c(buf->number);
    case HONE_BOOL:
        return hone_str_c(v->u.boolean ? "true" : "false");
    default:
        return none;
    }
}

const hone_value *reference_of(const scoring *s, hone_str column, uint32_t on_missing, verdict *v)
{
    for (size_t i = 0; i < s->sample->n_columns; i++) {
        const hone_column *c = &s->sample->columns[i];
        if (c->name.len == column.len && memcmp(c->name.ptr, column.ptr, column.len) == 0 &&
            c->value.type != HONE_NULL)
            return &c->value;
    }
    snprintf(v->text, sizeof v->text, "the row has no column \"%.*s\"",
             (int)(column.len < 100 ? column.len : 100), column.ptr);
    if (on_missing == 1)
        abstains(v, v->text);
    else
        error_is(v, v->text);
    return NULL;
}

double length_of(const hone_sample *s, uint32_t unit)
{
    double n = 0;
    int in_word = 0;
    if (unit == LENGTH_TOKENS && s->tokens)
        return (double)s->n_tokens;
    for (size_t i = 0; i < s->completion.len; i++) {
        char c = s->completion.ptr[i];
        if (unit == LENGTH_WORDS) {
            n += !is_space(c) && !in_word;
            in_word = !is_space(c);
        } else {
            n += ((unsigned char)c & 0xC0) != 0x80;
        }
    }
    return n;
}
