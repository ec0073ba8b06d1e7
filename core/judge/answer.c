/* answer.c - a judge's answer: checked, turned back into the item's order, written as a row and read again (ask.h).
 *
 * What was unknown is absent from a row, never a zero; a number that is not finite leaves no answer. */
#include "judge/answer.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {"ok", "unparsed", "refused", "truncated", "timeout", "budget"};
enum { NAMES = sizeof names / sizeof *names, TEXT_MAX = 1 << 20, COUNT_MAX = 65536 };

const char *hone_verdict_name(uint32_t detail)
{
    return detail < NAMES ? names[detail] : NULL;
}

int hone_verdict_of_name(hone_str name)
{
    for (int i = 0; i < NAMES; i++)
        if (hone_str_eq(name, names[i]))
            return i;
    return -1;
}

/* ---- from a verdict --------------------------------------------------------------------------------------------- */

static hone_status copy_text(hone_str s, hone_arena *arena, hone_str *out)
{
    if (s.len > TEXT_MAX)
        s.len = TEXT_MAX;
    *out = s.ptr && s.len ? hone_arena_str(arena, s) : (hone_str){"", 0};
    return out->ptr ? HONE_OK : HONE_E_NOMEM;
}

static void forget(hone_answer *a)
{
    a->score = (double)NAN;
    a->mass = a->entropy = a->cost = a->latency_ms = a->inconsistency = (double)NAN;
    a->ranking = NULL;
    a->criteria = a->label_probs = NULL;
    a->n_criteria = a->n_labels = 0;
    a->reasoning = (hone_str){"", 0};
    a->raw = (hone_str){"", 0};
}

hone_status hone__answer_none(hone_answer *a, const char *why, hone_arena *arena)
{
    forget(a);
    a->detail = HONE_VERDICT_UNPARSED;
    return copy_text(hone_str_c(why), arena, &a->reasoning);
}

/* The older end of a verdict may be shorter than ours. */
static hone_verdict whole(const hone_verdict *v)
{
    hone_verdict w;
    memset(&w, 0, sizeof w);
    memcpy(&w, v, v->struct_size < sizeof w ? v->struct_size : sizeof w);
    return w;
}

static int is_ranking(const hone_verdict *v, size_t k)
{
    uint64_t seen = 0;
    if (v->n_ranking != k)
        return 0;
    for (size_t i = 0; i < k; i++) {
        if (v->ranking[i] >= k || (seen >> v->ranking[i] & 1))
            return 0;
        seen |= (uint64_t)1 << v->ranking[i];
    }
    return 1;
}

static hone_status take_ranking(const hone_verdict *v, hone_arena *arena, hone_answer *a)
{
    uint32_t *r = hone_arena_calloc(arena, v->n_ranking, sizeof *r);
    if (!r)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < v->n_ranking; i++)
        r[i] = a->order[v->ranking[i]];
    a->ranking = r;
    return HONE_OK;
}

/* Of two candidates that were shown the other way round, the better first one is the second. */
static double turned(const hone_answer *a, double score, size_t k)
{
    return k == 2 && a->order[0] == 1 ? -score : score;
}

static hone_status take_criteria(const hone_verdict *v, size_t k, hone_arena *arena, hone_answer *a)
{
    double *c = hone_arena_calloc(arena, v->n_criteria, sizeof *c);
    hone_str *n = hone_arena_calloc(arena, v->n_criteria, sizeof *n);
    char text[32];
    if (!c || !n)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < v->n_criteria; i++) {
        const double x = v->criteria[i];
        c[i] = isfinite(x) ? turned(a, x, k) : (double)NAN;
        snprintf(text, sizeof text, "%zu", i + 1);
        HONE_TRY(copy_text(v->criterion_names && v->criterion_names[i].len ? v->criterion_names[i]
                                                                           : hone_str_c(text),
                           arena, &n[i]));
    }
    a->criteria = c;
    a->criterion_names = n;
    a->n_criteria = v->n_criteria;
    return HONE_OK;
}

static hone_status take_labels(const hone_verdict *v, hone_arena *arena, hone_answer *a)
{
    double *p = hone_arena_calloc(arena, v->n_label_probs, sizeof *p);
    hone_str *n = hone_arena_calloc(arena, v->n_label_probs, sizeof *n);
    char text[32];
    if (!p || !n)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < v->n_label_probs; i++) {
        const double x = v->label_probs[i];
        p[i] = x >= 0 && x <= 1.000001 ? x : (double)NAN;
        snprintf(text, sizeof text, "%zu", i + 1);
        HONE_TRY(copy_text(v->labels && v->labels[i].len ? v->labels[i] : hone_str_c(text), arena,
                           &n[i]));
    }
    a->label_probs = p;
    a->labels = n;
    a->n_labels = v->n_label_probs;
    if (isfinite(v->mass) && v->mass > 0)
        a->mass = v->mass;
    if (isfinite(v->entropy) && v->entropy >= 0)
        a->entropy = v->entropy;
    return HONE_OK;
}

hone_status hone__answer_take(const hone_verdict *given, hone_arena *arena, hone_answer *a)
{
    const hone_verdict v = whole(given);
    const size_t k = a->item->it.n_candidates;
    const int number = v.status == HONE_SCORE;
    forget(a);
    if (number && v.ranking && !is_ranking(&v, k))
        return hone__answer_none(a, "its ranking is no order of the candidates", arena);
    if (number && !v.ranking && !isfinite(v.score))
        return hone__answer_none(a, "its score is no number", arena);
    if (v.n_criteria > COUNT_MAX || v.n_label_probs > COUNT_MAX)
        return hone__answer_none(a, "more criteria or labels than any judge has", arena);
    a->detail = number                         ? HONE_VERDICT_OK
                : v.detail && v.detail < NAMES ? v.detail
                : v.status == HONE_ABSTAIN     ? HONE_VERDICT_REFUSED
                                               : HONE_VERDICT_UNPARSED;
    if (number && isfinite(v.score))
        a->score = turned(a, v.score, k);
    if (number && v.ranking)
        HONE_TRY(take_ranking(&v, arena, a));
    if (number && !isfinite(v.score) && k == 2)
        a->score = a->ranking[0] == 0 ? 1 : -1;
    if (number && v.criteria && v.n_criteria)
        HONE_TRY(take_criteria(&v, k, arena, a));
    if (v.label_probs && v.n_label_probs)
        HONE_TRY(take_labels(&v, arena, a));
    if (v.orders >= 2 && isfinite(v.inconsistency))
        a->inconsistency = v.inconsistency;
    if (isfinite(v.cost) && v.cost > 0)
        a->cost = v.cost;
    if (v.latency_ns)
        a->latency_ms = (double)v.latency_ns / 1e6;
    a->tokens_in = v.tokens_in;
    a->tokens_out = v.tokens_out;
    HONE_TRY(copy_text(v.raw, arena, &a->raw));
    return copy_text(v.reasoning, arena, &a->reasoning);
}

/* ---- as a row ------------------------------------------------------------------------------------------------------ */

void hone__answer_order(const hone_answer *a, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < a->item->it.n_candidates && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%u", i ? "," : "[", a->order[i]);
    if (at < size)
        snprintf(out + at, size - at, "]");
}

static void write_criteria(hone_jw *w, const hone_answer *a)
{
    hone_jw_key(w, "criteria");
    hone_jw_map(w);
    for (size_t i = 0; i < a->n_criteria; i++) {
        hone_jw_key_str(w, a->criterion_names[i]);
        hone_jw_f64(w, a->criteria[i]); /* NaN becomes null */
    }
    hone_jw_end(w);
}

static void write_known(hone_jw *w, const char *key, double x)
{
    if (isfinite(x))
        hone_jw_kf64(w, key, x);
}

hone_status hone__answer_row(const hone_answer *a, const char *spec, const char *rubric,
                             hone_arena *arena, hone_str *row)
{
    const size_t k = a->item->it.n_candidates;
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, (size_t)1 << 26);
    hone_jw_init(&w, &b, 0);
    hone_jw_map(&w);
    hone_jw_kstr(&w, "id", a->item->id);
    hone_jw_kstr(&w, "prompt_id", a->item->prompt_id);
    hone_jw_kcstr(&w, "status", names[a->detail]);
    hone_jw_kf64(&w, "score", a->score);
    if (a->ranking) {
        hone_jw_key(&w, "ranking");
        hone_jw_list(&w);
        for (size_t i = 0; i < k; i++)
            hone_jw_i64(&w, a->ranking[i]);
        hone_jw_end(&w);
    }
    if (a->n_criteria)
        write_criteria(&w, a);
    if (a->n_labels) {
        hone_jw_key(&w, "labels");
        hone_jw_map(&w);
        for (size_t i = 0; i < a->n_labels; i++) {
            hone_jw_key_str(&w, a->labels[i]);
            hone_jw_f64(&w, a->label_probs[i]);
        }
        hone_jw_end(&w);
    }
    write_known(&w, "mass", a->mass);
    write_known(&w, "entropy", a->entropy);
    write_known(&w, "inconsistency", a->inconsistency);
    if (a->reasoning.len)
        hone_jw_kstr(&w, "reasoning", a->reasoning);
    if (spec && spec[0])
        hone_jw_kcstr(&w, "spec", spec);
    if (rubric && rubric[0])
        hone_jw_kcstr(&w, "rubric", rubric);
    write_known(&w, "cost", a->cost);
    if (a->tokens_in)
        hone_jw_ki64(&w, "tokens_in", (int64_t)a->tokens_in);
    if (a->tokens_out)
        hone_jw_ki64(&w, "tokens_out", (int64_t)a->tokens_out);
    write_known(&w, "latency_ms", a->latency_ms);
    hone_jw_ki64(&w, "repeat", a->repeat);
    hone_jw_key(&w, "order");
    hone_jw_list(&w);
    for (size_t i = 0; i < k; i++)
        hone_jw_i64(&w, a->order[i]);
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_status s = hone_buf_check(&b, "a verdict");
    if (s >= 0) {
        *row = hone_arena_str(arena, hone_buf_str(&b));
        s = row->ptr ? HONE_OK : HONE_E_NOMEM;
    }
    hone_buf_release(&b);
    return s;
}

/* ---- from a row ---------------------------------------------------------------------------------------------------- */

static hone_status known(const hone_value *row, const char *key, double *out)
{
    HONE_TRY(hone_value_f64(row, key, (double)NAN, out));
    return isinf(*out) ? hone_fail(HONE_E_INVALID, "%s is not finite", key) : HONE_OK;
}

/* A list of candidates' numbers, each once. */
static hone_status read_order(const hone_value *list, const char *what, size_t k, uint32_t *out)
{
    uint64_t seen = 0;
    if (list->type != HONE_LIST || list->u.list.n != k)
        return hone_fail(HONE_E_INVALID, "%s is no order of %zu candidates", what, k);
    for (size_t i = 0; i < k; i++) {
        const hone_value *v = &list->u.list.items[i];
        if (v->type != HONE_I64 || v->u.i64 < 0 || (size_t)v->u.i64 >= k || (seen >> v->u.i64 & 1))
            return hone_fail(HONE_E_INVALID, "%s is no order of %zu candidates", what, k);
        seen |= (uint64_t)1 << v->u.i64;
        out[i] = (uint32_t)v->u.i64;
    }
    return HONE_OK;
}

static hone_status number_of(const hone_value *v, double *out)
{
    if (v->type == HONE_NULL)
        *out = (double)NAN;
    else if (v->type == HONE_F64)
        *out = v->u.f64;
    else if (v->type == HONE_I64)
        *out = (double)v->u.i64;
    else
        return hone_fail(HONE_E_TYPE, "a number or null is wanted");
    return isinf(*out) ? hone_fail(HONE_E_INVALID, "a number is not finite") : HONE_OK;
}

static hone_status read_criteria(const hone_value *map, hone_arena *arena, hone_answer *a)
{
    if (map->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "criteria is no map");
    const size_t n = map->u.map.n;
    double *c = hone_arena_calloc(arena, n + 1, sizeof *c);
    hone_str *s = hone_arena_calloc(arena, n + 1, sizeof *s);
    if (!c || !s)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const hone_value *v = &map->u.map.pairs[i].value;
        s[i] = map->u.map.pairs[i].key;
        HONE_TRY(number_of(v, &c[i]));
    }
    a->criteria = c;
    a->criterion_names = s;
    a->n_criteria = n;
    return HONE_OK;
}

static hone_status read_labels(const hone_value *map, hone_arena *arena, hone_answer *a)
{
    if (map->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "labels is no map");
    const size_t n = map->u.map.n;
    double *p = hone_arena_calloc(arena, n + 1, sizeof *p);
    hone_str *s = hone_arena_calloc(arena, n + 1, sizeof *s);
    if (!p || !s)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        s[i] = map->u.map.pairs[i].key;
        HONE_TRY(number_of(&map->u.map.pairs[i].value, &p[i]));
    }
    a->label_probs = p;
    a->labels = s;
    a->n_labels = n;
    return HONE_OK;
}

static hone_status read_count(const hone_value *row, const char *key, uint64_t most, uint64_t *out)
{
    int64_t n;
    HONE_TRY(hone_value_i64(row, key, 0, &n));
    if (n < 0 || (uint64_t)n > most)
        return hone_fail(HONE_E_RANGE, "%s is out of range", key);
    *out = (uint64_t)n;
    return HONE_OK;
}

hone_status hone_answer_read(const hone_value *row, size_t k, hone_arena *arena, hone_answer *out)
{
    hone_answer a;
    hone_str status;
    uint64_t repeat = 0;
    const hone_value *v;
    memset(&a, 0, sizeof a);
    forget(&a);
    if (row->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "a verdict is a map");
    if (k == 0 || k > HONE_ASK_CANDIDATES)
        return hone_fail(HONE_E_RANGE, "an item of %zu candidates", k);
    HONE_TRY(hone_value_string(row, "status", hone_str_c(""), &status));
    const int detail = hone_verdict_of_name(status);
    if (detail < 0)
        return hone_fail(HONE_E_INVALID, "status \"%.*s\" is none",
                         (int)(status.len < 40 ? status.len : 40), status.ptr);
    a.detail = (uint32_t)detail;
    HONE_TRY(known(row, "score", &a.score));
    for (size_t i = 0; i < k; i++)
        a.order[i] = (uint32_t)i;
    if ((v = hone_value_get(row, "order")) != NULL && v->type != HONE_NULL)
        HONE_TRY(read_order(v, "order", k, a.order));
    if ((v = hone_value_get(row, "ranking")) != NULL && v->type != HONE_NULL) {
        uint32_t *r = hone_arena_calloc(arena, k, sizeof *r);
        HONE_TRY(r ? read_order(v, "ranking", k, r) : HONE_E_NOMEM);
        a.ranking = r;
    }
    if (detail == HONE_VERDICT_OK && isnan(a.score) && !a.ranking)
        return hone_fail(HONE_E_INVALID, "status ok, but neither score nor ranking");
    if (detail != HONE_VERDICT_OK && (!isnan(a.score) || a.ranking))
        return hone_fail(HONE_E_INVALID, "status %s, but a number", names[detail]);
    if ((v = hone_value_get(row, "criteria")) != NULL && v->type != HONE_NULL)
        HONE_TRY(read_criteria(v, arena, &a));
    if ((v = hone_value_get(row, "labels")) != NULL && v->type != HONE_NULL)
        HONE_TRY(read_labels(v, arena, &a));
    HONE_TRY(known(row, "mass", &a.mass));
    HONE_TRY(known(row, "entropy", &a.entropy));
    HONE_TRY(known(row, "inconsistency", &a.inconsistency));
    HONE_TRY(known(row, "cost", &a.cost));
    HONE_TRY(known(row, "latency_ms", &a.latency_ms));
    HONE_TRY(read_count(row, "tokens_in", INT64_MAX, &a.tokens_in));
    HONE_TRY(read_count(row, "tokens_out", INT64_MAX, &a.tokens_out));
    HONE_TRY(read_count(row, "repeat", UINT32_MAX, &repeat));
    a.repeat = (uint32_t)repeat;
    HONE_TRY(hone_value_string(row, "reasoning", (hone_str){"", 0}, &a.reasoning));
    *out = a;
    return HONE_OK;
}
