/* cluster.c - see cluster.h.
 *
 * Phase 1 is a pass (pass.h) whose records go to two sorters: (hash, hash, row) and (band key, row). Phase 2 reads them in order, joins
 * (a union-find whose root is the least row), writes the candidates into a third sorter, takes each pair once in order and compares.
 * Phase 3 belongs to the caller. */
#include "curate/cluster.h"

#include "base/alloc.h"
#include "curate/sorter.h"

#include <string.h>

enum { LINE_BITS = 48, SETS = 512, SET_MAX = 4096 };

typedef struct worker {
    hone_words words;
    hone_shingles shingles;
    hone_buf folded;
    uint32_t sig[HONE_MINHASH_MAX];
} worker;

typedef struct set_of { /* a row's shingles, remembered */
    uint64_t row;       /* + 1; 0: none */
    hone_shingles set;
} set_of;

typedef struct clustering {
    const hone_cluster_spec *spec;
    hone_minhash minhash;
    hone_input *in;
    hone_job *job;
    hone_table *table, *lines;
    hone_table places;
    hone_sorter *same, *bands;
    worker *workers;
    uint32_t n_workers;
    uint64_t n;
    hone_cluster_counts *counts;
    hone_scan scan;
    hone_buf row;
    set_of *sets;
} clustering;

/* What a row's slot holds: this, then a key for each band. */
typedef struct found {
    hone_hash128 same;
    int has_words;
} found;

/* ---- phase 1 ------------------------------------------------------------------------------------------------------- */

/* All pieces of the text, folded, with their lengths behind: equal only when the pieces are. */
static hone_status hash_text(const hone_scan *scan, hone_fold fold, hone_buf *folded,
                             hone_hash128 *out)
{
    hone_buf_clear(folded);
    for (size_t i = 0; i < scan->n; i++) {
        const size_t from = folded->len;
        HONE_TRY(hone_fold_text(fold, hone_scan_piece(scan, i), folded));
        const uint64_t len = folded->len - from;
        HONE_TRY(hone_buf_add(folded, &len, sizeof len));
    }
    *out = hone_xxh128(folded->ptr, folded->len);
    return HONE_OK;
}

static hone_status sketch_row(void *ctx, uint32_t thread, const hone_input_row *row,
                              hone_scan *scan, void *slot)
{
    clustering *c = ctx;
    worker *w = &c->workers[thread];
    found *f = slot;
    if (scan->n == 0) /* it says nothing: the row is the text */
        f->same = hone_xxh128(row->text.ptr, row->text.len);
    else
        HONE_TRY(hash_text(scan, c->spec->fold, &w->folded, &f->same));
    if (!c->spec->near)
        return HONE_OK;
    HONE_TRY(hone_words_of(&w->words, hone_buf_str(&scan->text)));
    f->has_words = w->words.n > 0;
    if (!f->has_words)
        return HONE_OK;
    HONE_TRY(hone_shingles_of(&c->minhash, &w->words, &w->shingles));
    hone_minhash_sign(&c->minhash, &w->shingles, w->sig);
    hone_minhash_keys(&c->minhash, w->sig, (uint64_t *)(void *)(f + 1));
    return HONE_OK;
}

/* Rows left out as malformed have no records, and their numbers stand for themselves. */
static hone_status fill_gap(clustering *c, uint64_t to)
{
    while (c->places.n < to) {
        HONE_TRY(hone_table_add(&c->places, HONE_CLUSTER_BAD));
        if (c->lines)
            HONE_TRY(hone_table_add(c->lines, 0));
    }
    return HONE_OK;
}

static hone_status take_row(void *ctx, const hone_input_row *row, void *slot)
{
    clustering *c = ctx;
    const found *f = slot;
    const uint64_t *key = (const uint64_t *)(const void *)(f + 1);
    const uint64_t same[3] = {f->same.high, f->same.low, row->n};
    HONE_TRY(fill_gap(c, row->n));
    HONE_TRY(hone_table_add(&c->places, row->place));
    if (c->lines)
        HONE_TRY(hone_table_add(c->lines, (uint64_t)row->file << LINE_BITS | row->line));
    HONE_TRY(hone_sorter_add(c->same, same));
    for (uint32_t b = 0; f->has_words && b < c->spec->bands; b++) {
        const uint64_t band[2] = {key[b], row->n};
        HONE_TRY(hone_sorter_add(c->bands, band));
    }
    return HONE_OK;
}

static hone_status settle(void *ctx)
{
    clustering *c = ctx;
    HONE_TRY(hone_sorter_flush(c->same));
    if (c->bands)
        HONE_TRY(hone_sorter_flush(c->bands));
    if (c->lines)
        HONE_TRY(hone_table_flush(c->lines));
    return hone_table_flush(&c->places);
}

static void note_pass(void *ctx, hone_jw *w)
{
    clustering *c = ctx;
    hone_jw_ki64(w, "phase", 1);
    hone_jw_ki64(w, "rows", (int64_t)c->counts->pass.rows);
    hone_jw_ki64(w, "placed", (int64_t)c->places.n);
    hone_jw_key(w, "same");
    hone_sorter_note(c->same, w);
    if (c->bands) {
        hone_jw_key(w, "bands");
        hone_sorter_note(c->bands, w);
    }
}

static void note_joining(void *ctx, hone_jw *w)
{
    clustering *c = ctx;
    const hone_input_place start = {0};
    note_pass(c, w);
    hone_job_put_place(w, &start);
    hone_jw_ki64(w, "bad", (int64_t)c->counts->pass.bad);
    hone_jw_kbool(w, "read", 1);
}

static hone_status open_parts(clustering *c, const hone_value *state)
{
    const char *dir = hone_job_folder(c->job);
    uint64_t placed = 0;
    if (state) {
        HONE_TRY(hone_job_get_count(state, "placed", &placed));
        HONE_TRY(hone_job_get_count(state, "rows", &c->counts->pass.rows));
        HONE_TRY(hone_job_get_count(state, "bad", &c->counts->pass.bad));
    }
    HONE_TRY(hone_sorter_open(dir, "same", 3, c->spec->memory,
                              state ? hone_value_get(state, "same") : NULL, &c->same));
    if (c->spec->near)
        HONE_TRY(hone_sorter_open(dir, "bands", 2, c->spec->memory,
                                  state ? hone_value_get(state, "bands") : NULL, &c->bands));
    if (c->lines)
        HONE_TRY(hone_table_open(c->lines, dir, "lines", placed));
    return hone_table_open(&c->places, dir, "places", placed);
}

static hone_status read_all(clustering *c, hone_pool *pool, const hone_value *state)
{
    hone_pass pass = {.ctx = c,
                      .columns = c->spec->columns,
                      .slot = sizeof(found) + (c->spec->near ? c->spec->bands : 0) * 8,
                      .work = sketch_row,
                      .take = take_row,
                      .before_note = settle,
                      .note = note_pass,
                      .skip_bad = c->spec->skip_bad};
    hone_input_place place = {0};
    int read = 0;
    if (state) {
        HONE_TRY(hone_job_get_place(state, &place));
        HONE_TRY(hone_value_bool(state, "read", 0, &read));
    }
    if (!read) {
        HONE_TRY(hone_input_seek(c->in, &place));
        HONE_TRY(hone_pass_run(&pass, c->in, pool, c->job, &c->counts->pass));
        HONE_TRY(fill_gap(c, hone_input_tell(c->in).n));
        HONE_TRY(settle(c));
        HONE_TRY(hone_job_note(c->job, note_joining, c));
    }
    c->n = c->places.n;
    return HONE_OK;
}

/* ---- phase 2 ------------------------------------------------------------------------------------------------------- */

static uint64_t parent_of(const hone_table *t, uint64_t n)
{
    return t->v[n] & ~HONE_CLUSTER_NEAR;
}

uint64_t hone_cluster_first(const hone_table *t, uint64_t n)
{
    while (parent_of(t, n) != n)
        n = parent_of(t, n);
    return n;
}

/* The root, and the way there halved. */
static uint64_t find(hone_table *t, uint64_t n)
{
    uint64_t up;
    while ((up = parent_of(t, n)) != n) {
        t->v[n] = (t->v[n] & HONE_CLUSTER_NEAR) | parent_of(t, up);
        n = up;
    }
    return n;
}

static int join(hone_table *t, uint64_t a, uint64_t b, uint64_t how)
{
    a = find(t, a);
    b = find(t, b);
    if (a == b)
        return 0;
    const uint64_t first = a < b ? a : b, later = a < b ? b : a;
    t->v[later] = first | how;
    return 1;
}

static hone_status join_same(clustering *c)
{
    const uint64_t *r;
    uint64_t before[3] = {0};
    int any = 0;
    hone_status s;
    HONE_TRY(hone_sorter_rewind(c->same));
    while ((s = hone_sorter_next(c->same, &r)) > 0) {
        if (any && r[0] == before[0] && r[1] == before[1])
            c->counts->exact += (uint64_t)join(c->table, before[2], r[2], 0);
        else
            memcpy(before, r, sizeof before);
        any = 1;
    }
    return s;
}

static hone_status add_pair(clustering *c, hone_sorter *pairs, uint64_t a, uint64_t b)
{
    uint64_t pair[2] = {find(c->table, a), find(c->table, b)};
    if (pair[0] == pair[1])
        return HONE_OK;
    if (pair[0] > pair[1]) {
        const uint64_t t = pair[0];
        pair[0] = pair[1];
        pair[1] = t;
    }
    return hone_sorter_add(pairs, pair);
}

/* Rows of one bucket: each with the first, and with the one before. */
static hone_status make_pairs(clustering *c, hone_sorter *pairs)
{
    const uint64_t *r;
    uint64_t key = 0, first = 0, last = 0;
    int any = 0;
    hone_status s;
    HONE_TRY(hone_sorter_rewind(c->bands));
    while ((s = hone_sorter_next(c->bands, &r)) > 0) {
        const uint64_t row = r[1];
        if (any && r[0] == key) {
            HONE_TRY(add_pair(c, pairs, first, row));
            if (last != first)
                HONE_TRY(add_pair(c, pairs, last, row));
        } else {
            key = r[0];
            first = row;
        }
        last = row;
        any = 1;
    }
    return s;
}

/* The row's shingles as a set; remembered until another row needs its place. */
static hone_status set_of_row(clustering *c, uint64_t row, const hone_shingles **out)
{
    set_of *s = &c->sets[row % SETS];
    if (s->row != row + 1) {
        worker *w = &c->workers[0];
        s->row = 0;
        HONE_TRY(hone_input_fetch(c->in, c->places.v[row], &c->row));
        HONE_TRY(hone_scan_row(&c->scan, hone_buf_str(&c->row)));
        HONE_TRY(hone_words_of(&w->words, hone_buf_str(&c->scan.text)));
        HONE_TRY(hone_shingles_of(&c->minhash, &w->words, &s->set));
        hone_shingles_sort(&s->set);
        s->row = row + 1;
    }
    *out = &s->set;
    return HONE_OK;
}

/* Many shingles are not remembered: SETS long texts would be more than memory should hold. */
static void forget_long(set_of *s)
{
    if (s->set.cap > SET_MAX) {
        hone_shingles_release(&s->set);
        s->row = 0;
    }
}

static hone_status compare(clustering *c, uint64_t a, uint64_t b, int *alike)
{
    const hone_shingles *sa, *sb;
    *alike = 1;
    if (!c->spec->verify)
        return HONE_OK;
    HONE_TRY(set_of_row(c, a, &sa));
    if (a % SETS == b % SETS) { /* both want one place: a's set is kept aside */
        hone_shingles kept = c->sets[a % SETS].set;
        memset(&c->sets[a % SETS], 0, sizeof *c->sets);
        hone_status s = set_of_row(c, b, &sb);
        if (s >= 0)
            *alike = hone_shingles_jaccard(&kept, sb) >= c->spec->threshold;
        hone_shingles_release(&kept);
        forget_long(&c->sets[b % SETS]);
        c->counts->compared++;
        return s;
    }
    HONE_TRY(set_of_row(c, b, &sb));
    c->counts->compared++;
    *alike = hone_shingles_jaccard(sa, sb) >= c->spec->threshold;
    forget_long(&c->sets[a % SETS]);
    forget_long(&c->sets[b % SETS]);
    return HONE_OK;
}

static hone_status join_alike(clustering *c, hone_sorter *pairs)
{
    const uint64_t *r;
    uint64_t before[2] = {UINT64_MAX, UINT64_MAX};
    hone_status s;
    HONE_TRY(hone_sorter_rewind(pairs));
    while ((s = hone_sorter_next(pairs, &r)) > 0) {
        int alike = 0;
        if (r[0] == before[0] && r[1] == before[1])
            continue;
        memcpy(before, r, sizeof before);
        c->counts->candidates++;
        if (find(c->table, before[0]) == find(c->table, before[1]))
            continue;
        HONE_TRY(compare(c, before[0], before[1], &alike));
        if (alike)
            c->counts->near += (uint64_t)join(c->table, before[0], before[1], HONE_CLUSTER_NEAR);
    }
    return s;
}

static hone_status join_all(clustering *c)
{
    HONE_TRY(hone_table_map(&c->places));
    HONE_TRY(hone_table_open(c->table, hone_job_folder(c->job), "clusters", 0));
    for (uint64_t i = 0; i < c->n; i++)
        HONE_TRY(
            hone_table_add(c->table, c->places.v[i] == HONE_CLUSTER_BAD ? HONE_CLUSTER_BAD : i));
    HONE_TRY(hone_table_map(c->table));
    HONE_TRY(join_same(c));
    if (!c->spec->near)
        return HONE_OK;
    hone_sorter *pairs = NULL;
    HONE_TRY(hone_sorter_open(hone_job_folder(c->job), "pairs", 2, c->spec->memory, NULL, &pairs));
    hone_status s = make_pairs(c, pairs);
    if (s >= 0)
        s = hone_scan_init(&c->scan, c->spec->columns);
    if (s >= 0)
        s = join_alike(c, pairs);
    if (s >= 0)
        s = hone_sorter_remove(pairs);
    hone_sorter_close(pairs);
    return s;
}

/* ---- all ------------------------------------------------------------------------------------------------------------ */

void hone_cluster_note(const hone_cluster_counts *c, hone_jw *w)
{
    hone_jw_ki64(w, "phase", 3);
    hone_jw_ki64(w, "clustered", (int64_t)c->pass.rows);
    hone_jw_ki64(w, "unread", (int64_t)c->pass.bad);
    hone_jw_ki64(w, "exact", (int64_t)c->exact);
    hone_jw_ki64(w, "near", (int64_t)c->near);
    hone_jw_ki64(w, "candidates", (int64_t)c->candidates);
    hone_jw_ki64(w, "compared", (int64_t)c->compared);
}

static void note_joined(void *ctx, hone_jw *w)
{
    const clustering *c = ctx;
    const hone_input_place start = {0};
    hone_cluster_note(c->counts, w);
    hone_job_put_place(w, &start);
    hone_jw_ki64(w, "bad", 0);
}

hone_status hone_cluster_noted(const hone_value *state, hone_cluster_counts *c)
{
    HONE_TRY(hone_job_get_count(state, "clustered", &c->pass.rows));
    HONE_TRY(hone_job_get_count(state, "unread", &c->pass.bad));
    HONE_TRY(hone_job_get_count(state, "exact", &c->exact));
    HONE_TRY(hone_job_get_count(state, "near", &c->near));
    HONE_TRY(hone_job_get_count(state, "candidates", &c->candidates));
    return hone_job_get_count(state, "compared", &c->compared);
}

static hone_status map_again(clustering *c, hone_table *t, const char *name)
{
    HONE_TRY(hone_table_open(t, hone_job_folder(c->job), name, c->counts->pass.rows));
    return hone_table_map(t);
}

static void release(clustering *c)
{
    hone_sorter_close(c->same);
    hone_sorter_close(c->bands);
    hone_table_release(&c->places);
    for (uint32_t i = 0; c->workers && i < c->n_workers; i++) {
        hone_words_release(&c->workers[i].words);
        hone_shingles_release(&c->workers[i].shingles);
        if (c->workers[i].folded.ptr)
            hone_buf_release(&c->workers[i].folded);
    }
    for (size_t i = 0; c->sets && i < SETS; i++)
        hone_shingles_release(&c->sets[i].set);
    hone_scan_release(&c->scan);
    hone_buf_release(&c->row);
    hone_free(c->workers);
    hone_free(c->sets);
}

hone_status hone_cluster_run(const hone_cluster_spec *spec, hone_input *in, hone_pool *pool,
                             hone_job *job, hone_table *table, hone_table *lines,
                             hone_cluster_counts *counts)
{
    const hone_value *state = hone_job_state(job);
    clustering c = {.spec = spec, .in = in, .job = job, .table = table, .lines = lines};
    uint64_t phase = 1;
    c.counts = counts;
    c.n_workers = hone_pool_threads(pool);
    hone_buf_init(&c.row, HONE_BUF_MAX_DEFAULT);
    hone_status s = HONE_OK;
    c.workers = hone_calloc(c.n_workers, sizeof *c.workers);
    c.sets = hone_calloc(SETS, sizeof *c.sets);
    if (!c.workers || !c.sets)
        s = HONE_E_NOMEM;
    for (uint32_t i = 0; s >= 0 && i < c.n_workers; i++) {
        hone_words_init(&c.workers[i].words);
        hone_buf_init(&c.workers[i].folded, HONE_BUF_MAX_DEFAULT);
    }
    if (s >= 0 && spec->near)
        s = hone_minhash_init(&c.minhash, spec->words, spec->bands, spec->rows, spec->seed);
    if (s >= 0)
        s = hone_input_spool(in, hone_job_folder(job));
    if (s >= 0 && state)
        s = hone_job_get_count(state, "phase", &phase);
    if (s >= 0 && phase == 3) {
        s = hone_cluster_noted(state, counts);
        if (s >= 0)
            s = map_again(&c, table, "clusters");
        if (s >= 0 && lines)
            s = map_again(&c, lines, "lines");
        goto out;
    }
    if (s >= 0)
        s = open_parts(&c, state);
    if (s >= 0)
        s = read_all(&c, pool, state);
    if (s >= 0)
        s = join_all(&c);
    if (s >= 0 && lines)
        s = hone_table_map(lines);
    if (s >= 0)
        s = hone_table_sync(table);
    if (s >= 0) {
        const hone_input_place start = {0};
        s = hone_input_seek(in, &start);
    }
    if (s >= 0)
        s = hone_job_note(job, note_joined, &c);
    if (s >= 0) /* the journal needs them no more */
        s = hone_sorter_remove(c.same);
    if (s >= 0 && c.bands)
        s = hone_sorter_remove(c.bands);
out:
    release(&c);
    return s < 0 ? s : HONE_OK;
}
