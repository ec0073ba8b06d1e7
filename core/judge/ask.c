/* ask.c - see ask.h. Items, orders, calls, the book; rows of JSON are in answer.c. */
#include "judge/ask.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/messages.h"
#include "judge/answer.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 64, TIMEOUT_S = 600, DEAR_MS = 20 };

/* ---- items ------------------------------------------------------------------------------------------------------ */

static int is_own(hone_str name)
{
    static const char *const own[] = {"id",         "prompt_id", "prompt", "messages", "completion",
                                      "candidates", "reference", "split",  NULL};
    for (size_t i = 0; own[i]; i++)
        if (hone_str_eq(name, own[i]))
            return 1;
    return 0;
}

static hone_status read_candidates(const hone_value *row, hone_arena *arena, hone_judge_item *it)
{
    const hone_value *list = hone_value_get(row, "candidates"),
                     *one = hone_value_get(row, "completion");
    if (!list || list->type == HONE_NULL) {
        if (!one || one->type != HONE_STRING) {
            hone_fail(HONE_E_NOT_FOUND, "it has neither a completion nor candidates");
            return hone_fail_hint("a row to judge has prompt (or messages), and completion or a "
                                  "list of candidates");
        }
        hone_str *c = hone_arena_calloc(arena, 1, sizeof *c);
        if (!c)
            return HONE_E_NOMEM;
        c[0] = one->u.str;
        it->candidates = c;
        it->n_candidates = 1;
        return HONE_OK;
    }
    if (list->type != HONE_LIST || list->u.list.n == 0 || list->u.list.n > HONE_ASK_CANDIDATES)
        return hone_fail(HONE_E_INVALID, "candidates is a list of 1 to %d texts",
                         HONE_ASK_CANDIDATES);
    hone_str *c = hone_arena_calloc(arena, list->u.list.n, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < list->u.list.n; i++) {
        if (list->u.list.items[i].type != HONE_STRING)
            return hone_fail(HONE_E_INVALID, "candidate %zu is no text", i + 1);
        c[i] = list->u.list.items[i].u.str;
    }
    it->candidates = c;
    it->n_candidates = list->u.list.n;
    return HONE_OK;
}

/* Length first, so that no two lists of texts give the same bytes. */
static void mix(hone_sha256 *h, const void *p, size_t n)
{
    const uint64_t len = n;
    hone_sha256_add(h, &len, sizeof len);
    if (n)
        hone_sha256_add(h, p, n);
}

static void mix_str(hone_sha256 *h, hone_str s)
{
    mix(h, s.ptr, s.len);
}

static void mix_prompt(hone_sha256 *h, const hone_judge_item *it)
{
    mix_str(h, it->prompt);
    mix(h, &it->n_messages, sizeof it->n_messages);
    for (size_t i = 0; i < it->n_messages; i++) {
        mix_str(h, it->messages[i].role);
        mix_str(h, it->messages[i].content);
    }
}

static hone_status hash_input(hone_ask_item *item)
{
    const hone_judge_item *it = &item->it;
    hone_sha256 h;
    hone_buf b;
    hone_status s = HONE_OK;
    hone_sha256_init(&h);
    mix(&h, "hone-item-1", 11);
    mix_prompt(&h, it);
    mix(&h, &it->n_candidates, sizeof it->n_candidates);
    for (size_t i = 0; i < it->n_candidates; i++)
        mix_str(&h, it->candidates[i]);
    mix_str(&h, it->reference);
    mix_str(&h, it->rubric);
    hone_buf_init(&b, (size_t)1 << 28);
    for (size_t i = 0; i < it->n_columns && s >= 0; i++) {
        hone_jw w;
        hone_buf_clear(&b);
        hone_jw_init(&w, &b, 0);
        hone_jw_value(&w, &it->columns[i].value);
        s = hone_buf_check(&b, "an item's columns");
        mix_str(&h, it->columns[i].name);
        mix(&h, b.ptr, b.len);
    }
    hone_buf_release(&b);
    hone_sha256_hex(&h, item->input);
    return s;
}

/* Numbers and texts are names; anything else is not. */
static hone_status read_name(const hone_value *v, hone_arena *arena, hone_str *out)
{
    char text[32];
    if (!v || v->type == HONE_NULL)
        return 0;
    if (v->type == HONE_STRING) {
        *out = v->u.str;
        return v->u.str.len > 0;
    }
    if (v->type != HONE_I64)
        return hone_fail(HONE_E_TYPE, "an id is a text or a whole number");
    snprintf(text, sizeof text, "%lld", (long long)v->u.i64);
    *out = hone_arena_str(arena, hone_str_c(text));
    return out->ptr ? 1 : HONE_E_NOMEM;
}

static hone_status read_names(const hone_value *row, uint64_t number, hone_arena *arena,
                              hone_ask_item *out)
{
    char text[65];
    hone_status s = read_name(hone_value_get(row, "id"), arena, &out->id);
    if (s == 0) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)number);
        out->id = hone_arena_str(arena, hone_str_c(text));
    }
    if (s < 0 || !out->id.ptr)
        return s < 0 ? s : HONE_E_NOMEM;
    s = read_name(hone_value_get(row, "prompt_id"), arena, &out->prompt_id);
    if (s == 0) {
        hone_sha256 h;
        hone_sha256_init(&h);
        mix_prompt(&h, &out->it);
        hone_sha256_hex(&h, text);
        out->prompt_id = hone_arena_str(arena, (hone_str){text, 16});
    }
    return s < 0 ? s : out->prompt_id.ptr ? HONE_OK : HONE_E_NOMEM;
}

static hone_status read_item(const hone_value *row, uint64_t number, hone_arena *arena,
                             hone_ask_item *out)
{
    hone_judge_item *it = &out->it;
    hone_messages messages;
    if (row->type != HONE_MAP)
        return hone_fail(HONE_E_TYPE, "a map of columns is wanted");
    HONE_TRY(hone_messages_of_row(row, arena, &it->prompt, &messages));
    it->messages = messages.at;
    it->n_messages = messages.n;
    HONE_TRY(read_candidates(row, arena, it));
    HONE_TRY(hone_value_string(row, "reference", (hone_str){NULL, 0}, &it->reference));
    hone_column *columns = hone_arena_calloc(arena, row->u.map.n + 1, sizeof *columns);
    if (!columns)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < row->u.map.n; i++)
        if (!is_own(row->u.map.pairs[i].key))
            columns[it->n_columns++] = (hone_column){row->u.map.pairs[i].key,
                                                     row->u.map.pairs[i].value};
    it->columns = columns;
    HONE_TRY(read_names(row, number, arena, out));
    return hash_input(out);
}

hone_status hone_ask_item_read(const char *data, const hone_value *row, uint64_t number,
                               hone_arena *arena, hone_ask_item *out)
{
    hone_ask_item item;
    memset(&item, 0, sizeof item);
    hone_status s = read_item(row, number, arena, &item);
    if (s < 0)
        return s == HONE_E_NOMEM ? s
                                 : hone_fail_at("%s: row %llu", data, (unsigned long long)number);
    *out = item;
    return HONE_OK;
}

/* ---- orders ------------------------------------------------------------------------------------------------------- */

uint32_t hone_ask_orders(const hone_ask_params *p, size_t k)
{
    return !p->orders || k < 2 ? 1 : k < HONE_ASK_ORDERS ? (uint32_t)k : HONE_ASK_ORDERS;
}

/* The rows of a cyclic Latin square: each candidate is once in each place where there are as many orders as candidates. */
static void order_of(size_t k, uint32_t turn, uint32_t n_orders, uint32_t *order)
{
    const size_t shift = n_orders ? turn * k / n_orders : 0;
    for (size_t i = 0; i < k; i++)
        order[i] = (uint32_t)((i + shift) % k);
}

/* ---- one round: some answers that are asked for together ------------------------------------------------------------ */

typedef struct asked_for {
    hone_answer a;
    char key[65];
    hone_str *shown; /* the candidates in order */
    int have, kept;  /* kept: its row is made, and in the book where it is remembered */
    int others;      /* the verdict is another judge's, which this one turned to */
} asked_for;

typedef struct round {
    const hone_ask_params *p;
    hone_arena arena;
    asked_for *all;
    size_t n;
    hone_judge_item *items; /* those that are asked */
    size_t *which, n_items; /* items[i] is of all[which[i]] */
    pthread_mutex_t lock;   /* a judge may answer from other threads */
    hone_status failed;
} round_t;

static void make_key(const hone_ask_params *p, asked_for *q)
{
    hone_sha256 h;
    hone_sha256_init(&h);
    mix(&h, "hone-verdict-1", 14);
    mix_str(&h, hone_str_c(p->spec));
    mix(&h, q->a.item->input, 64);
    mix(&h, &q->a.repeat, sizeof q->a.repeat);
    mix(&h, q->a.order, q->a.item->it.n_candidates * sizeof *q->a.order);
    hone_sha256_hex(&h, q->key);
}

static int remembers(const hone_ask_params *p)
{
    return p->book && p->spec && p->spec[0];
}

/* 1: the book had it. What it has and cannot be read is asked again. */
static hone_status look_up(round_t *r, asked_for *q)
{
    hone_str text;
    hone_value row;
    hone_answer old;
    if (!remembers(r->p) || r->p->anew)
        return 0;
    hone_status s = hone_book_get_verdict(r->p->book, q->key, &r->arena, &text);
    if (s <= 0)
        return s;
    if (hone_json_parse(text.ptr, text.len, "verdict", &r->arena, &row) < 0 ||
        hone_answer_read(&row, q->a.item->it.n_candidates, &r->arena, &old) < 0)
        return 0;
    old.item = q->a.item;
    old.index = q->a.index;
    old.repeat = q->a.repeat;
    memcpy(old.order, q->a.order, sizeof old.order);
    old.remembered = 1;
    q->a = old;
    q->have = 1;
    return 1;
}

static hone_status add_question(round_t *r, asked_for *q)
{
    const hone_ask_item *item = q->a.item;
    hone_judge_item *it = &r->items[r->n_items];
    *it = item->it;
    it->id = hone_xxh64(item->id.ptr, item->id.len, q->a.repeat);
    q->shown = hone_arena_calloc(&r->arena, it->n_candidates, sizeof *q->shown);
    if (!q->shown)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < it->n_candidates; i++)
        q->shown[i] = item->it.candidates[q->a.order[i]];
    it->candidates = q->shown;
    r->which[r->n_items++] = (size_t)(q - r->all);
    return HONE_OK;
}

/* Its row, and, between begin and commit of the caller's, a place in the book. */
static hone_status keep_one(round_t *r, asked_for *q)
{
    const int lasting = q->a.detail != HONE_VERDICT_TIMEOUT && q->a.detail != HONE_VERDICT_BUDGET &&
                        !q->others;
    char order[16 * HONE_ASK_CANDIDATES];
    HONE_TRY(hone__answer_row(&q->a, r->p->spec, r->p->rubric, &r->arena, &q->a.row));
    q->kept = 1;
    if (!remembers(r->p) || !lasting)
        return HONE_OK;
    hone__answer_order(&q->a, order, sizeof order);
    const hone_book_verdict v = {.key = q->key,
                                 .spec = r->p->spec,
                                 .input = q->a.item->input,
                                 .item = q->a.item->id,
                                 .order = hone_str_c(order),
                                 .repeat = q->a.repeat,
                                 .status = q->a.detail,
                                 .json = q->a.row,
                                 .raw = q->a.raw,
                                 .cost = q->a.cost,
                                 .latency_ms = q->a.latency_ms,
                                 .tokens_in = q->a.tokens_in,
                                 .tokens_out = q->a.tokens_out};
    return hone_book_put_verdict(r->p->book, &v);
}

/* Commits what `s` says is whole, else takes it back. */
static hone_status end_keeping(round_t *r, hone_status s)
{
    if (!remembers(r->p))
        return s;
    if (s >= 0)
        return hone_book_commit(r->p->book);
    const hone_error e = *hone_error_get();
    hone_book_rollback(r->p->book);
    return hone_error_set(&e);
}

/* One that was paid for, or waited for, is in the book at once: work that is killed asks for it no second time. */
static hone_status keep_at_once(round_t *r, asked_for *q)
{
    if (!remembers(r->p) || !(q->a.cost > 0 || q->a.latency_ms >= DEAR_MS))
        return HONE_OK;
    HONE_TRY(hone_book_begin(r->p->book));
    return end_keeping(r, keep_one(r, q));
}

static hone_status take_verdict(const hone_verdict_sink *sink, size_t item, const hone_verdict *v)
{
    round_t *r = sink->ctx;
    if (item >= r->n_items)
        return hone_fail(HONE_E_RANGE, "a verdict on item %zu of %zu", item, r->n_items);
    pthread_mutex_lock(&r->lock);
    asked_for *q = &r->all[r->which[item]];
    hone_status s = HONE_OK;
    if (q->have)
        s = hone_fail(HONE_E_EXISTS, "a second verdict on item %zu", item);
    else
        s = hone__answer_take(v, &r->arena, &q->a);
    if (s >= 0) {
        const hone_str spec = v->struct_size >= offsetof(hone_verdict, cost) ? v->spec_hash
                                                                             : (hone_str){NULL, 0};
        q->have = 1;
        q->others = spec.len == 64 && r->p->spec && r->p->spec[0] && !hone_str_eq(spec, r->p->spec);
        s = keep_at_once(r, q);
        if (s < 0)
            r->failed = s;
    } else if (s == HONE_E_NOMEM) {
        r->failed = s;
    }
    pthread_mutex_unlock(&r->lock);
    return s;
}

static hone_status call_judge(round_t *r)
{
    const hone_judge_v1 *vt = r->p->ref.vt;
    const hone_verdict_sink sink = {sizeof sink, 0, r, take_verdict};
    const double seconds = r->p->timeout_s > 0 ? r->p->timeout_s : TIMEOUT_S;
    static uint64_t calls;
    const hone_call call = {.struct_size = sizeof call,
                            .n = (uint32_t)r->n_items,
                            .id = (3ull << 61) + __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED),
                            .deadline_ns = hone_now_ns() + (uint64_t)(seconds * 1e9)};
    hone_instance_enter(r->p->instance);
    hone_status s = hone_instance_leave(
        r->p->instance, "judge",
        vt->judge(r->p->ref.self, &call, r->items, r->n_items, sizeof *r->items, &sink));
    return r->failed < 0 ? r->failed : s;
}

/* What came is written as rows, and into the book. */
static hone_status keep_answers(round_t *r)
{
    hone_status s = HONE_OK;
    if (remembers(r->p))
        HONE_TRY(hone_book_begin(r->p->book));
    for (size_t i = 0; i < r->n_items && s >= 0; i++) {
        asked_for *q = &r->all[r->which[i]];
        if (q->have && !q->kept)
            s = keep_one(r, q);
    }
    return end_keeping(r, s);
}

static hone_status finish_round(round_t *r, hone_ask_fn fn, void *ctx, size_t *asked)
{
    hone_status s = HONE_OK;
    for (size_t i = 0; i < r->n && s >= 0; i++)
        if (!r->all[i].have)
            s = add_question(r, &r->all[i]);
    if (s < 0)
        return s;
    *asked += r->n_items;
    if (r->n_items) {
        hone_status judged = call_judge(r);
        const hone_error e = *hone_error_get();
        for (size_t i = 0; i < r->n_items && judged >= 0; i++) {
            asked_for *q = &r->all[r->which[i]];
            if (!q->have) /* the judge returned without a word on it */
                s = hone__answer_none(&q->a, "not answered", &r->arena);
            q->have = s >= 0;
            if (s < 0)
                return s;
        }
        s = keep_answers(r);
        if (judged < 0)
            return hone_error_set(&e);
    }
    for (size_t i = 0; i < r->n && s >= 0; i++) {
        asked_for *q = &r->all[i];
        if (q->a.remembered) /* its id may be another row's of the same text */
            s = hone__answer_row(&q->a, r->p->spec, r->p->rubric, &r->arena, &q->a.row);
        if (s >= 0)
            s = fn(ctx, &q->a);
    }
    return s;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

typedef struct cursor {
    size_t item;
    uint32_t turn, repeat;
} cursor;

static int fill(round_t *r, const hone_ask_item *items, size_t n, cursor *at, size_t most)
{
    const uint32_t repeats = r->p->repeats ? r->p->repeats : 1;
    r->n = 0;
    while (at->item < n && r->n < most) {
        const hone_ask_item *item = &items[at->item];
        const size_t k = item->it.n_candidates;
        const uint32_t orders = hone_ask_orders(r->p, k);
        asked_for *q = &r->all[r->n++];
        memset(q, 0, sizeof *q);
        q->a.item = item;
        q->a.index = at->item;
        q->a.repeat = at->repeat;
        order_of(k, at->turn, orders, q->a.order);
        if (remembers(r->p))
            make_key(r->p, q);
        if (++at->repeat == repeats) {
            at->repeat = 0;
            if (++at->turn == orders) {
                at->turn = 0;
                at->item++;
            }
        }
    }
    return r->n > 0;
}

static hone_status one_round(round_t *r, hone_ask_fn fn, void *ctx, size_t *asked)
{
    hone_status s = HONE_OK;
    r->n_items = 0;
    for (size_t i = 0; i < r->n && s >= 0; i++)
        s = look_up(r, &r->all[i]);
    return s < 0 ? s : finish_round(r, fn, ctx, asked);
}

hone_status hone_ask(const hone_ask_params *p, const hone_ask_item *items, size_t n, hone_ask_fn fn,
                     void *ctx, size_t *asked)
{
    const size_t most = p->batch ? p->batch : BATCH;
    round_t r = {.p = p};
    cursor at = {0, 0, 0};
    size_t count = 0;
    hone_status s = HONE_OK;
    if (remembers(p) && p->spec_json)
        HONE_TRY(hone_book_put_spec(p->book, p->spec, hone_str_c(p->spec_json)));
    hone_arena_init(&r.arena, 0);
    pthread_mutex_init(&r.lock, NULL);
    r.all = hone_calloc(most, sizeof *r.all);
    r.items = hone_calloc(most, sizeof *r.items);
    r.which = hone_calloc(most, sizeof *r.which);
    if (!r.all || !r.items || !r.which)
        s = HONE_E_NOMEM;
    while (s >= 0 && fill(&r, items, n, &at, most)) {
        if (p->stop && __atomic_load_n(p->stop, __ATOMIC_RELAXED))
            s = hone_fail(HONE_E_INTERRUPTED, "stopped before item %zu of %zu",
                          r.all[0].a.index + 1, n);
        else
            s = one_round(&r, fn, ctx, &count);
        hone_arena_clear(&r.arena);
    }
    hone_free(r.all);
    hone_free(r.items);
    hone_free(r.which);
    pthread_mutex_destroy(&r.lock);
    hone_arena_release(&r.arena);
    if (s < 0)
        return s;
    if (asked)
        *asked = count;
    return HONE_OK;
}
