/* leak.c - see leak.h.
 *
 * A run's hash is a sum over its words, each times a power of an odd base by its place (Rabin and Karp), so that all runs of a length are
 * had from prefix sums. For every length that some item has (n, and the lengths of shorter items) the row's runs are looked up. A filter of bits
 * in front of the table answers most. */
#include "curate/leak.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = UINT32_MAX, SHOWN = 8 };
#define BASE 0x9E3779B97F4A7C15ull

typedef struct item {
    uint32_t file;
    uint64_t line;
    size_t first, n; /* its words */
    uint32_t length; /* of its pieces */
    unsigned char hit;
} item;

typedef struct piece {
    uint64_t hash;
    uint32_t item, at; /* word of the item where it begins; item NONE: empty */
} piece;

typedef struct leak { /* of a row: with one item */
    uint32_t item, at, pieces, row_at;
} leak;

typedef struct worker {
    hone_words words;
    uint64_t *sum;
    size_t cap;
} worker;

struct hone_leaks {
    hone_leak_spec spec;
    char *columns, *item_columns;
    item *items;
    uint64_t *words;
    size_t n_items, cap_items, n_words, cap_words, n_pieces;
    piece *table;
    size_t mask;
    uint64_t *bits; /* 8 bits a slot of the table */
    uint64_t bit_mask;
    uint32_t *lengths; /* of pieces, each once, ascending */
    size_t n_lengths;
    uint64_t *power; /* of BASE, up to the longest length */
    uint32_t longest;
    uint64_t brief;
    worker *workers;
    uint32_t n_workers;
    hone_job *job;
    hone_input *item_input;
    hone_leak_result *out;
};

static hone_status grow(void **p, size_t need, size_t *cap, size_t size)
{
    if (need <= *cap)
        return HONE_OK;
    size_t more = *cap ? *cap : 256;
    while (more < need)
        more *= 2;
    void *grown = hone_reallocarray(*p, more, size);
    if (!grown)
        return HONE_E_NOMEM;
    *p = grown;
    *cap = more;
    return HONE_OK;
}

/* sum[i]: of the first i words. The run of n words from i on has (sum[i + n] - sum[i] x BASE^n). */
static hone_status prefix_sums(worker *w)
{
    HONE_TRY(grow((void **)&w->sum, w->words.n + 1, &w->cap, sizeof *w->sum));
    w->sum[0] = 0;
    for (size_t i = 0; i < w->words.n; i++)
        w->sum[i + 1] = w->sum[i] * BASE + w->words.v[i].hash;
    return HONE_OK;
}

static uint64_t run_hash(const hone_leaks *l, const uint64_t *sum, size_t i, uint32_t n)
{
    uint64_t h = sum[i + n] - sum[i] * l->power[n];
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93ull;
    return h ^ h >> 32;
}

/* ---- the evaluation sets ---------------------------------------------------------------------------------------------- */

static hone_status read_item(hone_leaks *l, const hone_input_row *row, hone_scan *scan)
{
    worker *w = &l->workers[0];
    HONE_TRY(hone_scan_row(scan, row->text));
    HONE_TRY(hone_words_of(&w->words, hone_buf_str(&scan->text)));
    HONE_TRY(grow((void **)&l->items, l->n_items + 1, &l->cap_items, sizeof *l->items));
    HONE_TRY(grow((void **)&l->words, l->n_words + w->words.n, &l->cap_words, sizeof *l->words));
    item *t = &l->items[l->n_items++];
    *t = (item){.file = row->file, .line = row->line, .first = l->n_words, .n = w->words.n};
    for (size_t i = 0; i < w->words.n; i++)
        l->words[l->n_words++] = w->words.v[i].hash;
    if (t->n < l->spec.least) {
        l->brief++;
        return HONE_OK;
    }
    t->length = t->n < l->spec.words ? (uint32_t)t->n : l->spec.words;
    l->n_pieces += t->n - t->length + 1;
    return HONE_OK;
}

static void add_piece(hone_leaks *l, uint64_t hash, uint32_t number, uint32_t at)
{
    size_t i = hash & l->mask;
    while (l->table[i].item != NONE)
        i = (i + 1) & l->mask;
    l->table[i] = (piece){hash, number, at};
    l->bits[(hash >> 20 & l->bit_mask) / 64] |= (uint64_t)1 << (hash >> 20 & 63);
}

static hone_status note_lengths(hone_leaks *l)
{
    l->lengths = hone_calloc(l->spec.words + 1, sizeof *l->lengths);
    l->power = hone_calloc((size_t)l->spec.words + 1, sizeof *l->power);
    if (!l->lengths || !l->power)
        return HONE_E_NOMEM;
    l->power[0] = 1;
    for (uint32_t n = 1; n <= l->spec.words; n++) {
        l->power[n] = l->power[n - 1] * BASE;
        for (size_t i = 0; i < l->n_items; i++)
            if (l->items[i].length == n) {
                l->lengths[l->n_lengths++] = n;
                break;
            }
    }
    return HONE_OK;
}

static hone_status make_table(hone_leaks *l)
{
    size_t cap = 1024;
    while (cap < 2 * l->n_pieces)
        cap *= 2;
    l->table = hone_reallocarray(NULL, cap, sizeof *l->table);
    l->bits = hone_calloc(cap / 8, sizeof *l->bits);
    if (!l->table || !l->bits)
        return HONE_E_NOMEM;
    l->mask = cap - 1;
    l->bit_mask = 8 * (uint64_t)cap - 1;
    for (size_t i = 0; i < cap; i++)
        l->table[i].item = NONE;
    HONE_TRY(note_lengths(l));
    worker *w = &l->workers[0];
    for (size_t k = 0; k < l->n_items; k++) {
        const item *t = &l->items[k];
        if (!t->length)
            continue;
        HONE_TRY(grow((void **)&w->sum, t->n + 1, &w->cap, sizeof *w->sum));
        w->sum[0] = 0;
        for (size_t i = 0; i < t->n; i++)
            w->sum[i + 1] = w->sum[i] * BASE + l->words[t->first + i];
        for (size_t i = 0; i + t->length <= t->n; i++)
            add_piece(l, run_hash(l, w->sum, i, t->length), (uint32_t)k, (uint32_t)i);
    }
    return HONE_OK;
}

hone_status hone_leaks_create(const hone_leak_spec *spec, hone_input *items, hone_pool *pool,
                              hone_leaks **out)
{
    if (spec->words < 1 || spec->words > 1000 || spec->least < 1)
        return hone_fail(HONE_E_USAGE, "an n-gram has from 1 to 1000 words, an item at least 1");
    hone_leaks *l = hone_calloc(1, sizeof *l);
    hone_scan scan = {0};
    if (!l)
        return HONE_E_NOMEM;
    l->spec = *spec;
    l->n_workers = hone_pool_threads(pool);
    l->workers = hone_calloc(l->n_workers, sizeof *l->workers);
    hone_status s = l->workers ? HONE_OK : HONE_E_NOMEM;
    for (uint32_t t = 0; s >= 0 && t < l->n_workers; t++)
        hone_words_init(&l->workers[t].words);
    if (s >= 0 && spec->columns && !(l->columns = hone_strdup(spec->columns)))
        s = HONE_E_NOMEM;
    if (s >= 0)
        s = hone_scan_init(&scan, spec->item_columns);
    const hone_input_row *rows;
    size_t n;
    while (s >= 0 && (s = hone_input_next(items, &rows, &n)) > 0)
        for (size_t i = 0; s >= 0 && i < n; i++) {
            s = read_item(l, &rows[i], &scan);
            if (s < 0)
                hone_fail_at("%s:%llu", hone_input_path(items, rows[i].file),
                             (unsigned long long)rows[i].line);
        }
    if (s >= 0 && l->n_items >= NONE)
        s = hone_fail(HONE_E_LIMIT, "too many items");
    if (s >= 0)
        s = make_table(l);
    hone_scan_release(&scan);
    if (s < 0) {
        hone_leaks_destroy(l);
        return s;
    }
    *out = l;
    return HONE_OK;
}

void hone_leaks_destroy(hone_leaks *l)
{
    if (!l)
        return;
    for (uint32_t t = 0; l->workers && t < l->n_workers; t++) {
        hone_words_release(&l->workers[t].words);
        hone_free(l->workers[t].sum);
    }
    hone_free(l->workers);
    hone_free(l->columns);
    hone_free(l->items);
    hone_free(l->words);
    hone_free(l->table);
    hone_free(l->bits);
    hone_free(l->lengths);
    hone_free(l->power);
    hone_free(l);
}

void hone_leaks_of(const hone_leaks *l, uint32_t file, uint64_t *items, uint64_t *hit)
{
    *items = *hit = 0;
    for (size_t i = 0; i < l->n_items; i++)
        if (l->items[i].file == file) {
            ++*items;
            *hit += l->items[i].hit;
        }
}

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

/* What a row's slot holds: the items it shares pieces with; `list` lives until take_row. */
typedef struct leaked {
    leak *list;
    size_t n, cap;
    char *texts; /* of the shown ones, each ended with a NUL */
} leaked;

static hone_status add_leak(leaked *f, uint32_t number, uint32_t at, uint32_t row_at)
{
    HONE_TRY(grow((void **)&f->list, f->n + 1, &f->cap, sizeof *f->list));
    f->list[f->n++] = (leak){number, at, 1, row_at};
    return HONE_OK;
}

static int by_item(const void *a, const void *b)
{
    const leak *x = a, *y = b;
    return x->item != y->item       ? (x->item < y->item ? -1 : 1)
           : x->at != y->at         ? (x->at < y->at ? -1 : 1)
           : x->row_at != y->row_at ? (x->row_at < y->row_at ? -1 : 1)
                                    : 0;
}

/* One entry for each item, with its first piece and how many different ones the row has. */
static void gather(leaked *f)
{
    size_t n = 0;
    uint32_t last = 0;
    if (f->n)
        qsort(f->list, f->n, sizeof *f->list, by_item);
    for (size_t i = 0; i < f->n; i++) {
        if (n == 0 || f->list[n - 1].item != f->list[i].item)
            f->list[n++] = f->list[i];
        else if (f->list[i].at != last)
            f->list[n - 1].pieces++;
        last = f->list[i].at;
    }
    f->n = n;
}

static int same_words(const hone_leaks *l, const worker *w, size_t i, const item *t, uint32_t at)
{
    for (uint32_t k = 0; k < t->length; k++)
        if (w->words.v[i + k].hash != l->words[t->first + at + k])
            return 0;
    return 1;
}

static hone_status look_up(const hone_leaks *l, const worker *w, size_t i, uint32_t n, leaked *f)
{
    const uint64_t hash = run_hash(l, w->sum, i, n);
    if (!(l->bits[(hash >> 20 & l->bit_mask) / 64] >> (hash >> 20 & 63) & 1))
        return HONE_OK;
    for (size_t k = hash & l->mask; l->table[k].item != NONE; k = (k + 1) & l->mask) {
        const piece *p = &l->table[k];
        if (p->hash != hash || l->items[p->item].length != n)
            continue;
        if (same_words(l, w, i, &l->items[p->item], p->at))
            HONE_TRY(add_leak(f, p->item, p->at, (uint32_t)i));
    }
    return HONE_OK;
}

static int is_leak(const hone_leaks *l, const leak *k)
{
    const item *t = &l->items[k->item];
    const double pieces = (double)(t->n - t->length + 1);
    return (double)k->pieces >= l->spec.share * pieces;
}

/* The text of the piece, as the row has it. */
static hone_status keep_texts(const hone_leaks *l, const worker *w, hone_str text, leaked *f)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < f->n && i < SHOWN; i++) {
        const uint32_t n = l->items[f->list[i].item].length;
        const hone_word *first = &w->words.v[f->list[i].row_at], *last = first + n - 1;
        hone_str shared = {text.ptr + first->from, last->from + last->len - first->from};
        shared.len = shared.len > 4096 ? 4096 : shared.len;
        hone_buf_add_str(&b, shared);
        hone_buf_addc(&b, 0);
    }
    hone_status s = b.failed;
    f->texts = s < 0 ? NULL : hone_buf_detach(&b, NULL);
    hone_buf_release(&b);
    return s < 0 ? s : f->texts ? HONE_OK : HONE_E_NOMEM;
}

/* The items that the text is a leak of, in their order. */
static hone_status leaks_of(hone_leaks *l, worker *w, hone_str text, leaked *f)
{
    HONE_TRY(hone_words_of(&w->words, text));
    HONE_TRY(prefix_sums(w));
    hone_status s = HONE_OK;
    for (size_t k = 0; s >= 0 && k < l->n_lengths; k++)
        for (size_t i = 0; s >= 0 && i + l->lengths[k] <= w->words.n; i++)
            s = look_up(l, w, i, l->lengths[k], f);
    size_t kept = 0;
    gather(f);
    for (size_t i = 0; i < f->n; i++)
        if (is_leak(l, &f->list[i]))
            f->list[kept++] = f->list[i];
    f->n = kept;
    return s;
}

static hone_status look_at_row(void *ctx, uint32_t thread, const hone_input_row *row,
                               hone_scan *scan, void *slot)
{
    hone_leaks *l = ctx;
    worker *w = &l->workers[thread];
    leaked *f = slot;
    (void)row;
    hone_status s = leaks_of(l, w, hone_buf_str(&scan->text), f);
    if (s >= 0 && f->n)
        s = keep_texts(l, w, hone_buf_str(&scan->text), f);
    if (s < 0 || !f->n) {
        hone_free(f->list);
        memset(f, 0, sizeof *f);
    }
    return s;
}

hone_status hone_leaks_look(hone_leaks *l, hone_str text, uint32_t *file, uint64_t *line)
{
    leaked f = {0};
    hone_status s = leaks_of(l, &l->workers[0], text, &f);
    if (s >= 0)
        s = f.n > 0;
    if (s > 0) {
        *file = l->items[f.list[0].item].file;
        *line = l->items[f.list[0].item].line;
    }
    hone_free(f.list);
    return s;
}

static hone_status report_row(hone_leaks *l, const hone_input_row *row, const leaked *f)
{
    hone_jw *w = hone_job_tell(l->job, row);
    if (!w)
        return HONE_OK;
    const char *text = f->texts;
    hone_jw_ki64(w, "items", (int64_t)f->n);
    hone_jw_key(w, "hits");
    hone_jw_list(w);
    for (size_t i = 0; i < f->n && i < SHOWN; i++) {
        const item *t = &l->items[f->list[i].item];
        hone_jw_map(w);
        hone_jw_kcstr(w, "file", hone_input_path(l->item_input, t->file));
        hone_jw_ki64(w, "line", (int64_t)t->line);
        hone_jw_ki64(w, "words", t->length);
        hone_jw_ki64(w, "pieces", f->list[i].pieces);
        hone_jw_ki64(w, "of", (int64_t)(t->n - t->length + 1));
        hone_jw_kcstr(w, "text", text);
        hone_jw_end(w);
        text += strlen(text) + 1;
    }
    hone_jw_end(w);
    return hone_job_told(l->job);
}

static void drop_slot(void *ctx, void *slot)
{
    leaked *f = slot;
    (void)ctx;
    hone_free(f->list);
    hone_free(f->texts);
    memset(f, 0, sizeof *f);
}

static hone_status take_row(void *ctx, const hone_input_row *row, void *slot)
{
    hone_leaks *l = ctx;
    leaked *f = slot;
    if (!f->n) {
        l->out->kept++;
        return hone_job_keep(l->job, 0, row, NULL);
    }
    l->out->dropped++;
    for (size_t i = 0; i < f->n; i++) {
        item *t = &l->items[f->list[i].item];
        l->out->hit += !t->hit;
        t->hit = 1;
    }
    hone_status s = report_row(l, row, f);
    drop_slot(l, f);
    return s;
}

static void note(void *ctx, hone_jw *w)
{
    const hone_leaks *l = ctx;
    hone_jw_ki64(w, "rows", (int64_t)l->out->pass.rows);
    hone_jw_ki64(w, "unread", (int64_t)l->out->pass.bad);
    hone_jw_ki64(w, "kept", (int64_t)l->out->kept);
    hone_jw_ki64(w, "dropped", (int64_t)l->out->dropped);
    hone_jw_key(w, "hit"); /* the items found so far */
    hone_jw_list(w);
    for (size_t i = 0; i < l->n_items; i++)
        if (l->items[i].hit)
            hone_jw_i64(w, (int64_t)i);
    hone_jw_end(w);
}

static hone_status get_state(hone_leaks *l, hone_input_place *place)
{
    const hone_value *state = hone_job_state(l->job);
    if (!state)
        return HONE_OK;
    const hone_value *hit = hone_value_get(state, "hit");
    HONE_TRY(hone_job_get_count(state, "rows", &l->out->pass.rows));
    HONE_TRY(hone_job_get_count(state, "unread", &l->out->pass.bad));
    HONE_TRY(hone_job_get_count(state, "kept", &l->out->kept));
    HONE_TRY(hone_job_get_count(state, "dropped", &l->out->dropped));
    if (!hit || hit->type != HONE_LIST)
        return hone_fail(HONE_E_STATE,
                         "the journal of the step does not say which items were found");
    for (size_t i = 0; i < hit->u.list.n; i++) {
        const hone_value *v = &hit->u.list.items[i];
        if (v->type != HONE_I64 || v->u.i64 < 0 || (uint64_t)v->u.i64 >= l->n_items)
            return hone_fail(HONE_E_STATE,
                             "the journal of the step names an item that is not there");
        l->items[v->u.i64].hit = 1;
        l->out->hit++;
    }
    return hone_job_finished(l->job) ? HONE_OK : hone_job_get_place(state, place);
}

hone_status hone_leaks_run(hone_leaks *l, hone_input *items, hone_input *in, hone_pool *pool,
                           hone_job *job, hone_leak_result *out)
{
    hone_input_place place = {0};
    hone_pass pass = {.ctx = l,
                      .columns = l->columns,
                      .slot = sizeof(leaked),
                      .work = look_at_row,
                      .take = take_row,
                      .drop = drop_slot,
                      .note = note,
                      .skip_bad = l->spec.skip_bad};
    memset(out, 0, sizeof *out);
    l->job = job;
    l->item_input = items;
    l->out = out;
    out->items = l->n_items;
    out->brief = l->brief;
    HONE_TRY(get_state(l, &place));
    if (!hone_job_finished(job)) {
        HONE_TRY(hone_input_seek(in, &place));
        HONE_TRY(hone_pass_run(&pass, in, pool, job, &out->pass));
    }
    return hone_job_finish(job, note, l);
}
