/* stages.c - map, shuffle, take, skip, epochs, split, mix, batches: the links of a chain of rows.
 *
 * Each stage keeps as little as its state needs: counts, and for the shuffle the state of what stands
 * above it at the beginning of the block, so that a restored chain reads the block again. */
#include "train/source_private.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"

#include <string.h>

enum { DEFAULT_BLOCK = 1000000, MAX_MIX = 1024 };
#define BLOCK_BYTES ((size_t)1 << 30)

/* A new link of `size` on *d, which then is it. */
static void *put_on(hone_data **d, const hone_data_ops *ops, size_t size)
{
    hone_data *link = hone_calloc(1, size);
    if (!link)
        return NULL;
    link->ops = ops;
    link->up = *d;
    *d = link;
    return link;
}

static int64_t same_count(hone_data *d)
{
    return hone_data_count(d->up);
}
static int64_t unknown_count(hone_data *d)
{
    (void)d;
    return -1;
}
static hone_status pass_rewind(hone_data *d, uint64_t epoch)
{
    return hone_data_rewind(d->up, epoch);
}
static hone_status save_nothing(hone_data *d, hone_jw *w)
{
    (void)d;
    (void)w;
    return HONE_OK;
}
static hone_status restore_nothing(hone_data *d, const hone_value *state)
{
    (void)d;
    (void)state;
    return HONE_OK;
}
static void close_nothing(hone_data *d)
{
    (void)d;
}

/* ---- map and filter ------------------------------------------------------------------------------- */

typedef struct map_data {
    hone_data link;
    hone_data_fn fn;
    void *ctx;
    void (*drop)(void *ctx);
    hone_data_place at; /* the row that was given to fn last */
} map_data;

static hone_status map_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    map_data *d = (map_data *)link;
    for (;;) {
        hone_value in, out;
        hone_status s = hone_data_next(link->up, arena, &in);
        if (s <= 0)
            return s;
        out = in;
        d->at.row++;
        s = d->fn(d->ctx, d->at, arena, &in, &out);
        if (s < 0)
            return s;
        if (s > 0) {
            *row = out;
            return 1;
        }
    }
}
static hone_status map_rewind(hone_data *link, uint64_t epoch)
{
    map_data *d = (map_data *)link;
    HONE_TRY(hone_data_rewind(link->up, epoch));
    d->at = (hone_data_place){epoch, 0};
    return HONE_OK;
}
static hone_status map_save(hone_data *link, hone_jw *w)
{
    const map_data *d = (const map_data *)link;
    hone_jw_ki64(w, "epoch", (int64_t)d->at.epoch);
    hone_jw_ki64(w, "row", (int64_t)d->at.row);
    return HONE_OK;
}
static hone_status map_restore(hone_data *link, const hone_value *state)
{
    map_data *d = (map_data *)link;
    hone_data_place at = {0, 0};
    HONE_TRY(hone__data_read_count(state, "epoch", &at.epoch));
    HONE_TRY(hone__data_read_count(state, "row", &at.row));
    d->at = at;
    return HONE_OK;
}
static void map_close(hone_data *link)
{
    map_data *d = (map_data *)link;
    if (d->drop)
        d->drop(d->ctx);
}
static const hone_data_ops map_ops = {
    "map", map_next, map_rewind, unknown_count, NULL, map_save, map_restore, map_close, 0};

hone_status hone_data_map(hone_data **d, hone_data_fn fn, void *ctx, void (*drop)(void *ctx))
{
    map_data *m = put_on(d, &map_ops, sizeof *m);
    if (!m)
        return HONE_E_NOMEM;
    m->fn = fn;
    m->ctx = ctx;
    m->drop = drop;
    return HONE_OK;
}

/* ---- shuffle -------------------------------------------------------------------------------------- */

typedef struct shuffle_data {
    hone_data link;
    uint64_t seed, block_size, epoch;
    uint64_t block, at; /* number of the block, rows of it handed out */
    int loaded, ended;
    hone_arena arena; /* the block's rows */
    hone_value *rows;
    size_t n, cap;
    hone_buf up_state; /* JSON: of `up` at the block's beginning */
} shuffle_data;

static hone_status keep_up_state(shuffle_data *d)
{
    hone_jw w;
    hone_buf_clear(&d->up_state);
    hone_jw_init(&w, &d->up_state, 0);
    return hone_data_save(d->link.up, &w);
}

static hone_status load_block(shuffle_data *d)
{
    HONE_TRY(keep_up_state(d));
    hone_arena_clear(&d->arena);
    d->n = 0;
    while (d->n < d->block_size && d->arena.used < BLOCK_BYTES) {
        if (d->n == d->cap) {
            size_t cap = d->cap ? 2 * d->cap : 256;
            hone_value *rows = hone_reallocarray(d->rows, cap, sizeof *rows);
            if (!rows)
                return HONE_E_NOMEM;
            d->rows = rows;
            d->cap = cap;
        }
        hone_status s = hone_data_next(d->link.up, &d->arena, &d->rows[d->n]);
        if (s < 0)
            return s;
        if (s == 0)
            break;
        d->n++;
    }
    d->loaded = 1;
    d->ended = d->n == 0;
    return HONE_OK;
}

static hone_status shuffle_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    shuffle_data *d = (shuffle_data *)link;
    if (d->ended)
        return 0;
    if (d->loaded && d->at >= d->n) {
        d->loaded = 0;
        d->block++;
        d->at = 0;
    }
    if (!d->loaded)
        HONE_TRY(load_block(d));
    if (d->ended)
        return 0;
    hone_rng_key key = {
        .seed = d->seed, .purpose = HONE_RNG_SHUFFLE, .step = d->epoch, .sample = d->block};
    uint64_t i = hone_rng_permute(&key, d->at, d->n);
    HONE_TRY(hone_value_copy(arena, &d->rows[i], row));
    d->at++;
    return 1;
}

static hone_status shuffle_rewind(hone_data *link, uint64_t epoch)
{
    shuffle_data *d = (shuffle_data *)link;
    HONE_TRY(hone_data_rewind(link->up, epoch));
    d->epoch = epoch;
    d->block = d->at = 0;
    d->loaded = d->ended = 0;
    return HONE_OK;
}

static hone_status shuffle_save(hone_data *link, hone_jw *w)
{
    shuffle_data *d = (shuffle_data *)link;
    hone_arena arena;
    hone_value up;
    if (!d->loaded)
        HONE_TRY(keep_up_state(d));
    hone_jw_ki64(w, "epoch", (int64_t)d->epoch);
    hone_jw_ki64(w, "block", (int64_t)d->block);
    hone_jw_ki64(w, "at", (int64_t)d->at);
    hone_arena_init(&arena, 0);
    hone_status s = hone_json_parse(d->up_state.ptr, d->up_state.len, "data state", &arena, &up);
    if (s >= 0) {
        hone_jw_key(w, "up");
        hone_jw_value(w, &up);
    }
    hone_arena_release(&arena);
    return s;
}

static hone_status shuffle_restore(hone_data *link, const hone_value *state)
{
    shuffle_data *d = (shuffle_data *)link;
    const hone_value *up = hone_value_get(state, "up");
    uint64_t epoch = 0, block = 0, at = 0;
    HONE_TRY(hone__data_read_count(state, "epoch", &epoch));
    HONE_TRY(hone__data_read_count(state, "block", &block));
    HONE_TRY(hone__data_read_count(state, "at", &at));
    if (!up)
        return hone_fail(HONE_E_STATE, "data: the saved state of \"shuffle\" has no \"up\"");
    HONE_TRY(hone_data_restore(link->up, up));
    d->epoch = epoch;
    d->block = block;
    d->loaded = d->ended = 0;
    HONE_TRY(load_block(d));
    if (at > d->n)
        return hone_fail(HONE_E_STATE, "data: there are fewer rows than were read before");
    d->at = at;
    return HONE_OK;
}

static void shuffle_close(hone_data *link)
{
    shuffle_data *d = (shuffle_data *)link;
    hone_arena_release(&d->arena);
    hone_free(d->rows);
    hone_buf_release(&d->up_state);
}
static const hone_data_ops shuffle_ops = {"shuffle",       shuffle_next,  shuffle_rewind,
                                          same_count,      NULL,          shuffle_save,
                                          shuffle_restore, shuffle_close, 1};

hone_status hone_data_shuffle(hone_data **d, uint64_t seed, uint64_t block)
{
    shuffle_data *s = put_on(d, &shuffle_ops, sizeof *s);
    if (!s)
        return HONE_E_NOMEM;
    s->seed = seed;
    s->block_size = block ? block : DEFAULT_BLOCK;
    hone_arena_init(&s->arena, 2 * BLOCK_BYTES);
    hone_buf_init(&s->up_state, HONE_BUF_MAX_DEFAULT);
    return HONE_OK;
}

/* ---- select ----------------------------------------------------------------------------------------- */

typedef struct select_data {
    hone_data link;
    hone_arena arena;
    hone_str *names;
    size_t n;
} select_data;

static hone_status no_column(const hone_value *row, hone_str name)
{
    hone_fail(HONE_E_NOT_FOUND, "select: a row has no column \"%.*s\"",
              (int)(name.len < 80 ? name.len : 80), name.ptr);
    hone_buf b;
    hone_buf_init(&b, 400);
    for (size_t i = 0; i < row->u.map.n; i++)
        hone_buf_addf(&b, "%s%.*s", i ? ", " : "", (int)row->u.map.pairs[i].key.len,
                      row->u.map.pairs[i].key.ptr);
    if (b.len)
        hone_fail_hint("it has: %s", b.ptr);
    hone_buf_release(&b);
    return HONE_E_NOT_FOUND;
}

static hone_status select_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    select_data *d = (select_data *)link;
    hone_value all;
    hone_status s = hone_data_next(link->up, arena, &all);
    if (s <= 0)
        return s;
    hone_pair *pairs = hone_arena_calloc(arena, d->n, sizeof *pairs);
    if (!pairs)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < d->n; i++) {
        const hone_value *v = NULL;
        for (size_t k = 0; k < all.u.map.n && !v; k++)
            if (all.u.map.pairs[k].key.len == d->names[i].len &&
                memcmp(all.u.map.pairs[k].key.ptr, d->names[i].ptr, d->names[i].len) == 0)
                v = &all.u.map.pairs[k].value;
        if (!v)
            return no_column(&all, d->names[i]);
        pairs[i].key = d->names[i];
        pairs[i].value = *v;
    }
    memset(row, 0, sizeof *row);
    row->type = HONE_MAP;
    row->u.map.pairs = pairs;
    row->u.map.n = d->n;
    return 1;
}
static hone_status select_rewind(hone_data *link, uint64_t epoch)
{
    return hone_data_rewind(link->up, epoch);
}
static int64_t select_count(hone_data *link)
{
    return hone_data_count(link->up);
}
static hone_status select_save(hone_data *link, hone_jw *w)
{
    hone_jw_ki64(w, "columns", (int64_t)((select_data *)link)->n);
    return HONE_OK;
}
static hone_status select_restore(hone_data *link, const hone_value *state)
{
    uint64_t n = 0;
    HONE_TRY(hone__data_read_count(state, "columns", &n));
    return n == ((select_data *)link)->n
               ? HONE_OK
               : hone_fail(HONE_E_STATE, "data: the saved state is of another select");
}
static void select_close(hone_data *link)
{
    hone_arena_release(&((select_data *)link)->arena);
}
static const hone_data_ops select_ops = {"select",       select_next,  select_rewind,
                                         select_count,   NULL,         select_save,
                                         select_restore, select_close, 0};

hone_status hone_data_select(hone_data **d, const hone_str *columns, size_t n)
{
    if (n == 0)
        return hone_fail(HONE_E_INVALID, "select: it needs at least one column");
    for (size_t i = 0; i < n; i++) {
        if (!columns[i].len)
            return hone_fail(HONE_E_INVALID, "select: a column's name is empty");
        for (size_t k = 0; k < i; k++)
            if (columns[i].len == columns[k].len &&
                memcmp(columns[i].ptr, columns[k].ptr, columns[i].len) == 0)
                return hone_fail(HONE_E_INVALID, "select: column \"%.*s\" is given twice",
                                 (int)columns[i].len, columns[i].ptr);
    }
    HONE_TRY(hone__data_push_down(*d, columns, n, -1));
    select_data *c = put_on(d, &select_ops, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    hone_arena_init(&c->arena, 1 << 20);
    c->names = hone_arena_calloc(&c->arena, n, sizeof *c->names);
    c->n = c->names ? n : 0;
    for (size_t i = 0; i < c->n; i++) {
        c->names[i] = hone_arena_str(&c->arena, columns[i]);
        if (!c->names[i].ptr)
            c->names = NULL, c->n = 0;
    }
    if (c->n)
        return HONE_OK;
    hone_data *up = c->link.up; /* *d is what it was */
    hone_arena_release(&c->arena);
    hone_free(c);
    *d = up;
    return HONE_E_NOMEM;
}

/* ---- take and skip -------------------------------------------------------------------------------- */

typedef struct count_data {
    hone_data link;
    uint64_t n, done;
} count_data;

static hone_status take_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    count_data *d = (count_data *)link;
    if (d->done >= d->n)
        return 0;
    hone_status s = hone_data_next(link->up, arena, row);
    d->done += s > 0;
    return s;
}
static hone_status skip_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    count_data *d = (count_data *)link;
    for (; d->done < d->n; d->done++) {
        hone_status s = hone_data_next(link->up, arena, row);
        if (s <= 0)
            return s;
    }
    return hone_data_next(link->up, arena, row);
}
static hone_status count_rewind(hone_data *link, uint64_t epoch)
{
    ((count_data *)link)->done = 0;
    return hone_data_rewind(link->up, epoch);
}
static int64_t take_count(hone_data *link)
{
    int64_t up = hone_data_count(link->up);
    uint64_t n = ((count_data *)link)->n;
    return up < 0 ? -1 : (uint64_t)up < n ? up : (int64_t)n;
}
static int64_t skip_count(hone_data *link)
{
    int64_t up = hone_data_count(link->up);
    uint64_t n = ((count_data *)link)->n;
    return up < 0 ? -1 : (uint64_t)up < n ? 0 : up - (int64_t)n;
}
static hone_status count_save(hone_data *link, hone_jw *w)
{
    hone_jw_ki64(w, "done", (int64_t)((count_data *)link)->done);
    return HONE_OK;
}
static hone_status count_restore(hone_data *link, const hone_value *state)
{
    return hone__data_read_count(state, "done", &((count_data *)link)->done);
}
static const hone_data_ops take_ops = {"take",     take_next,     count_rewind,  take_count, NULL,
                                       count_save, count_restore, close_nothing, 0};
static const hone_data_ops skip_ops = {"skip",     skip_next,     count_rewind,  skip_count, NULL,
                                       count_save, count_restore, close_nothing, 0};

hone_status hone_data_take(hone_data **d, uint64_t n)
{
    /* A source that stops by itself reads less; the stage counts all the same. */
    if (n <= INT64_MAX && hone__data_push_down(*d, NULL, 0, (int64_t)n) < 0)
        return hone_error_get()->code;
    count_data *c = put_on(d, &take_ops, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    c->n = n;
    return HONE_OK;
}
hone_status hone_data_skip(hone_data **d, uint64_t n)
{
    count_data *c = put_on(d, &skip_ops, sizeof *c);
    if (!c)
        return HONE_E_NOMEM;
    c->n = n;
    return HONE_OK;
}

/* ---- epochs --------------------------------------------------------------------------------------- */

typedef struct epochs_data {
    hone_data link;
    uint64_t n, epoch; /* n 0: for ever */
    uint64_t rows;     /* of this epoch so far */
    uint64_t base;     /* epoch of the rewind */
} epochs_data;

static hone_status epochs_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    epochs_data *d = (epochs_data *)link;
    for (;;) {
        hone_status s = hone_data_next(link->up, arena, row);
        if (s != 0) {
            d->rows += s > 0;
            return s;
        }
        if (d->rows == 0 || (d->n && d->epoch + 1 >= d->n))
            return 0;
        HONE_TRY(hone_data_rewind(link->up, d->base + d->epoch + 1));
        d->epoch++;
        d->rows = 0;
    }
}
static hone_status epochs_rewind(hone_data *link, uint64_t epoch)
{
    epochs_data *d = (epochs_data *)link;
    d->base = epoch * (d->n ? d->n : 1);
    HONE_TRY(hone_data_rewind(link->up, d->base));
    d->epoch = d->rows = 0;
    return HONE_OK;
}
static int64_t epochs_count(hone_data *link)
{
    epochs_data *d = (epochs_data *)link;
    int64_t up = hone_data_count(link->up);
    if (up == 0)
        return 0;
    return up < 0 || d->n == 0 || up > INT64_MAX / (int64_t)d->n ? -1 : up * (int64_t)d->n;
}
static hone_status epochs_save(hone_data *link, hone_jw *w)
{
    epochs_data *d = (epochs_data *)link;
    hone_jw_ki64(w, "epoch", (int64_t)d->epoch);
    hone_jw_ki64(w, "rows", (int64_t)d->rows);
    hone_jw_ki64(w, "base", (int64_t)d->base);
    return HONE_OK;
}
static hone_status epochs_restore(hone_data *link, const hone_value *state)
{
    epochs_data *d = (epochs_data *)link;
    HONE_TRY(hone__data_read_count(state, "epoch", &d->epoch));
    HONE_TRY(hone__data_read_count(state, "rows", &d->rows));
    return hone__data_read_count(state, "base", &d->base);
}
static const hone_data_ops epochs_ops = {"epochs",       epochs_next,   epochs_rewind,
                                         epochs_count,   NULL,          epochs_save,
                                         epochs_restore, close_nothing, 0};

hone_status hone_data_epochs(hone_data **d, uint64_t n)
{
    epochs_data *e = put_on(d, &epochs_ops, sizeof *e);
    if (!e)
        return HONE_E_NOMEM;
    e->n = n;
    return HONE_OK;
}

/* ---- split ---------------------------------------------------------------------------------------- */

typedef struct split_data {
    hone_data link;
    char *by; /* NULL: the whole row */
    uint64_t seed;
    double from, to;
    hone_buf key;
} split_data;

static hone_status split_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    split_data *d = (split_data *)link;
    for (;;) {
        hone_status s = hone_data_next(link->up, arena, row);
        const hone_value *key = row;
        hone_jw w;
        double at;
        if (s <= 0)
            return s;
        if (d->by) {
            key = hone_value_get(row, d->by);
            if (!key)
                return hone_fail(HONE_E_NOT_FOUND, "split: a row has no column \"%s\"", d->by);
        }
        hone_buf_clear(&d->key);
        hone_jw_init(&w, &d->key, 0);
        hone_jw_value(&w, key);
        if (d->key.failed < 0)
            return d->key.failed;
        at = (double)(hone_xxh64(d->key.ptr, d->key.len, d->seed) >> 11) / 9007199254740992.0;
        if (at >= d->from && at < d->to)
            return 1;
    }
}
static void split_close(hone_data *link)
{
    split_data *d = (split_data *)link;
    hone_free(d->by);
    hone_buf_release(&d->key);
}
static const hone_data_ops split_ops = {"split",         split_next,  pass_rewind,
                                        unknown_count,   NULL,        save_nothing,
                                        restore_nothing, split_close, 0};

hone_status hone_data_split(hone_data **d, const char *by, uint64_t seed, double from, double to)
{
    if (!(from >= 0 && to <= 1 && from < to))
        return hone_fail(HONE_E_INVALID, "split: from %g to %g is no part of 0 to 1", from, to);
    char *copy = hone_strdup(by);
    split_data *s = by && !copy ? NULL : put_on(d, &split_ops, sizeof *s);
    if (!s) {
        hone_free(copy);
        return HONE_E_NOMEM;
    }
    s->by = copy;
    s->seed = seed;
    s->from = from;
    s->to = to;
    hone_buf_init(&s->key, HONE_BUF_MAX_DEFAULT);
    return HONE_OK;
}

/* ---- mix ------------------------------------------------------------------------------------------ */

typedef struct mix_data {
    hone_data link; /* up is NULL: it stands on many */
    hone_data **from;
    double *weights;
    unsigned char *ended;
    size_t n;
    uint64_t seed, epoch, drawn;
    int stop;
} mix_data;

static hone_status mix_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    mix_data *d = (mix_data *)link;
    for (;;) {
        hone_rng_key key = {
            .seed = d->seed, .purpose = HONE_RNG_SHUFFLE, .step = d->epoch, .sample = UINT64_MAX};
        double all = 0, at;
        size_t pick = d->n;
        for (size_t i = 0; i < d->n; i++) {
            if (d->ended[i] && d->stop)
                return 0;
            all += d->ended[i] ? 0 : d->weights[i];
        }
        if (all <= 0)
            return 0;
        at = hone_rng_uniform(&key, d->drawn) * all;
        for (size_t i = 0; i < d->n; i++) {
            if (d->ended[i] || d->weights[i] <= 0)
                continue;
            pick = i;
            if (at < d->weights[i])
                break;
            at -= d->weights[i];
        }
        hone_status s = hone_data_next(d->from[pick], arena, row);
        if (s < 0)
            return s;
        d->drawn++;
        if (s > 0)
            return 1;
        d->ended[pick] = 1;
    }
}
static hone_status mix_rewind(hone_data *link, uint64_t epoch)
{
    mix_data *d = (mix_data *)link;
    for (size_t i = 0; i < d->n; i++)
        HONE_TRY(hone_data_rewind(d->from[i], epoch));
    memset(d->ended, 0, d->n);
    d->epoch = epoch;
    d->drawn = 0;
    return HONE_OK;
}
static int64_t mix_count(hone_data *link)
{
    mix_data *d = (mix_data *)link;
    int64_t sum = 0;
    for (size_t i = 0; i < d->n; i++) {
        int64_t k = hone_data_count(d->from[i]);
        if (k < 0 || d->stop || sum > INT64_MAX - k)
            return -1;
        sum += d->weights[i] > 0 ? k : 0;
    }
    return sum;
}
static int64_t mix_skipped(hone_data *link)
{
    mix_data *d = (mix_data *)link;
    int64_t sum = 0;
    for (size_t i = 0; i < d->n; i++)
        sum += hone_data_skipped(d->from[i]);
    return sum;
}
static hone_status mix_save(hone_data *link, hone_jw *w)
{
    mix_data *d = (mix_data *)link;
    hone_jw_ki64(w, "epoch", (int64_t)d->epoch);
    hone_jw_ki64(w, "drawn", (int64_t)d->drawn);
    hone_jw_key(w, "ended");
    hone_jw_list(w);
    for (size_t i = 0; i < d->n; i++)
        hone_jw_bool(w, d->ended[i]);
    hone_jw_end(w);
    hone_jw_key(w, "from");
    hone_jw_list(w);
    for (size_t i = 0; i < d->n; i++)
        HONE_TRY(hone_data_save(d->from[i], w));
    hone_jw_end(w);
    return HONE_OK;
}
static hone_status mix_restore(hone_data *link, const hone_value *state)
{
    mix_data *d = (mix_data *)link;
    const hone_value *from = hone_value_get(state, "from"), *ended = hone_value_get(state, "ended");
    if (!from || from->type != HONE_LIST || !ended || ended->type != HONE_LIST ||
        from->u.list.n != d->n || ended->u.list.n != d->n)
        return hone_fail(HONE_E_STATE,
                         "data: the saved state mixes another number of sources than %zu", d->n);
    HONE_TRY(hone__data_read_count(state, "epoch", &d->epoch));
    HONE_TRY(hone__data_read_count(state, "drawn", &d->drawn));
    for (size_t i = 0; i < d->n; i++) {
        HONE_TRY(hone_data_restore(d->from[i], &from->u.list.items[i]));
        d->ended[i] = ended->u.list.items[i].type == HONE_BOOL && ended->u.list.items[i].u.boolean;
    }
    return HONE_OK;
}
static void mix_close(hone_data *link)
{
    mix_data *d = (mix_data *)link;
    for (size_t i = 0; d->from && i < d->n; i++)
        hone_data_close(d->from[i]);
    hone_free(d->from);
    hone_free(d->weights);
    hone_free(d->ended);
}
static const hone_data_ops mix_ops = {"mix",    mix_next,    mix_rewind, mix_count, mix_skipped,
                                      mix_save, mix_restore, mix_close,  0};

hone_status hone_data_mix(hone_data **from, const double *weights, size_t n, uint64_t seed,
                          int stop, hone_data **out)
{
    double all = 0;
    if (n == 0 || n > MAX_MIX)
        return hone_fail(HONE_E_INVALID, "mix: %zu sources; 1 to %d can be mixed", n, MAX_MIX);
    for (size_t i = 0; i < n; i++) {
        double w = weights ? weights[i] : 1;
        if (!(w >= 0 && w <= 1e12))
            return hone_fail(HONE_E_INVALID, "mix: weight %zu is %g", i + 1, w);
        all += w;
    }
    if (all <= 0)
        return hone_fail(HONE_E_INVALID, "mix: all weights are 0");
    mix_data *d = hone_calloc(1, sizeof *d);
    if (!d)
        return HONE_E_NOMEM;
    d->link.ops = &mix_ops;
    hone_data **copy = hone_calloc(n, sizeof *copy);
    d->weights = hone_calloc(n, sizeof *d->weights);
    d->ended = hone_calloc(n, 1);
    if (!copy || !d->weights || !d->ended) {
        hone_free(copy);
        hone_data_close(&d->link);
        return HONE_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        copy[i] = from[i];
        d->weights[i] = weights ? weights[i] : 1;
    }
    d->from = copy;
    d->n = n;
    d->seed = seed;
    d->stop = stop;
    *out = &d->link;
    return HONE_OK;
}

/* ---- batches -------------------------------------------------------------------------------------- */

typedef struct batches_data {
    hone_data link;
    uint64_t n;
    int partial;
} batches_data;

static hone_status batches_next(hone_data *link, hone_arena *arena, hone_value *row)
{
    batches_data *d = (batches_data *)link;
    hone_value *items = hone_arena_calloc(arena, (size_t)d->n, sizeof *items);
    size_t n = 0;
    if (!items)
        return HONE_E_NOMEM;
    while (n < d->n) {
        hone_status s = hone_data_next(link->up, arena, &items[n]);
        if (s < 0)
            return s;
        if (s == 0)
            break;
        n++;
    }
    if (n == 0 || (n < d->n && !d->partial))
        return 0;
    memset(row, 0, sizeof *row);
    row->type = HONE_LIST;
    row->u.list.items = items;
    row->u.list.n = n;
    return 1;
}
static int64_t batches_count(hone_data *link)
{
    batches_data *d = (batches_data *)link;
    int64_t up = hone_data_count(link->up);
    return up < 0 ? -1 : up / (int64_t)d->n + (d->partial && up % (int64_t)d->n != 0);
}
static const hone_data_ops batches_ops = {"batches",       batches_next,  pass_rewind,
                                          batches_count,   NULL,          save_nothing,
                                          restore_nothing, close_nothing, 0};

hone_status hone_data_batches(hone_data **d, uint64_t n, int partial)
{
    if (n == 0 || n > 1 << 24)
        return hone_fail(HONE_E_INVALID,
                         "batches: %llu rows a batch; 1 to 16777216 can be asked for",
                         (unsigned long long)n);
    batches_data *b = put_on(d, &batches_ops, sizeof *b);
    if (!b)
        return HONE_E_NOMEM;
    b->n = n;
    b->partial = partial;
    return HONE_OK;
}
