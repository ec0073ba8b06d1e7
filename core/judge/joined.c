/* joined.c - see joined.h: the tables of items, experts and ratings, the sample, ratings by item. */
#include "judge/joined.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "judge/joined_int.h"
#include "judge/listwise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_AGAIN = 100000, MIN_SLOTS = 1024 };

static const char *const split_names[] = {"few-shot", "dev", "test", "all"};

const char *hone_split_name(int split)
{
    return split >= 0 && split <= HONE_SPLIT_ALL ? split_names[split] : "all";
}

int hone_split_of(const char *name)
{
    for (int i = 0; i <= HONE_SPLIT_ALL; i++)
        if (strcmp(name, split_names[i]) == 0)
            return i;
    return strcmp(name, "few_shot") == 0 ? HONE_SPLIT_FEW_SHOT : -1;
}

void hone_joined_init(hone_joined *j, const hone_joined_opts *opts)
{
    memset(j, 0, sizeof *j);
    j->opts = *opts;
    if (!j->opts.max_items || j->opts.max_items > HONE_JOINED_ITEMS)
        j->opts.max_items = HONE_JOINED_ITEMS;
    j->shape = opts->shape == HONE_SHAPE_LISTWISE ? HONE_SHAPE_PAIRWISE : opts->shape;
    j->share = 1;
    hone_arena_init(&j->arena, 0);
    hone_arena_init(&j->scratch, 0);
    hone_map_init(&j->expert_map);
}

void hone_joined_release(hone_joined *j)
{
    hone__lists_release(j->lists);
    hone_arena_release(&j->arena);
    hone_arena_release(&j->scratch);
    hone_map_release(&j->expert_map);
    hone_free(j->items);
    hone_free(j->slots);
    hone_free(j->experts);
    hone_free(j->labels);
    hone_free(j->label_slots);
    hone_free(j->again);
    hone_free(j->scores);
    hone_free(j->order);
    hone_free(j->ratings);
    hone_free(j->begin);
    memset(j, 0, sizeof *j);
}

double hone_joined_score(const hone_joined_item *it)
{
    return it->status[HONE_JOINED_OK] ? it->sum / (double)it->status[HONE_JOINED_OK] : (double)NAN;
}

void hone__joined_odd(hone_joined *j, hone_joined_odd *odd, const char *id)
{
    (void)j;
    for (size_t i = 0; i < odd->n && i < HONE_JOINED_NAMED; i++)
        if (strcmp(odd->named[i], id) == 0)
            return;
    if (odd->n < HONE_JOINED_NAMED)
        odd->named[odd->n] = id;
    odd->n++;
}

static hone_status grow(void *at, size_t *cap, size_t n, size_t size)
{
    void **list = at;
    if (n < *cap)
        return HONE_OK;
    size_t more = *cap ? 2 * *cap : 256;
    void *p = hone_reallocarray(*list, more, size);
    if (!p)
        return HONE_E_NOMEM;
    *list = p;
    *cap = more;
    return HONE_OK;
}

/* ---- tables by hash ----------------------------------------------------------------------------------- */

static uint64_t label_hash(uint32_t item, uint32_t expert)
{
    uint32_t key[2] = {item, expert};
    return hone_xxh64(key, sizeof key, 0);
}

static void put_slot(uint32_t *slots, size_t n_slots, uint64_t hash, size_t index)
{
    size_t at = (size_t)hash & (n_slots - 1);
    while (slots[at])
        at = (at + 1) & (n_slots - 1);
    slots[at] = (uint32_t)index + 1;
}

/* Slots for twice `n` entries, filled again. */
static hone_status rehash_items(hone_joined *j, size_t n)
{
    size_t size = MIN_SLOTS;
    while (size < 2 * n)
        size *= 2;
    uint32_t *slots = hone_calloc(size, sizeof *slots);
    if (!slots)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < j->n_items; i++)
        put_slot(slots, size, j->items[i].hash, i);
    hone_free(j->slots);
    j->slots = slots;
    j->n_slots = size;
    return HONE_OK;
}

static hone_status rehash_labels(hone_joined *j, size_t n)
{
    size_t size = MIN_SLOTS;
    while (size < 2 * n)
        size *= 2;
    uint32_t *slots = hone_calloc(size, sizeof *slots);
    if (!slots)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < j->n_labels; i++)
        put_slot(slots, size, label_hash(j->labels[i].item, j->labels[i].expert), i);
    hone_free(j->label_slots);
    j->label_slots = slots;
    j->n_label_slots = size;
    return HONE_OK;
}

/* ---- the sample --------------------------------------------------------------------------------------- */

static int too_much(const hone_joined *j)
{
    return j->n_items > j->opts.max_items || j->n_labels > HONE_JOINED_CELLS ||
           j->n_scores > HONE_JOINED_CELLS;
}

/* Drops the items in the upper half of the hashes, and their ratings. */
static hone_status halve(hone_joined *j)
{
    uint32_t *to = hone_alloc((j->n_items + 1) * sizeof *to);
    size_t n = 0, labels = 0, scores = 0;
    if (!to)
        return HONE_E_NOMEM;
    j->limit = j->limit ? j->limit / 2 : (uint64_t)1 << 63;
    j->share /= 2;
    for (size_t i = 0; i < j->n_items; i++) {
        to[i] = UINT32_MAX;
        if (j->items[i].hash >= j->limit)
            continue;
        to[i] = (uint32_t)n;
        j->items[n++] = j->items[i];
    }
    for (size_t i = 0; i < j->n_labels; i++) {
        hone_joined_label l = j->labels[i];
        if (to[l.item] == UINT32_MAX)
            continue;
        l.item = to[l.item];
        j->labels[labels++] = l;
    }
    for (size_t i = 0; i < j->n_scores; i++) {
        hone_joined_score_row r = j->scores[i];
        if (to[r.item] == UINT32_MAX)
            continue;
        r.item = to[r.item];
        j->scores[scores++] = r;
    }
    hone_free(to);
    j->n_scores = scores;
    j->n_items = n;
    j->n_labels = labels;
    HONE_TRY(rehash_items(j, n));
    return rehash_labels(j, labels);
}

static hone_joined_item *find(const hone_joined *j, hone_str id, uint64_t hash)
{
    if (!j->n_slots)
        return NULL;
    for (size_t at = (size_t)hash & (j->n_slots - 1); j->slots[at];
         at = (at + 1) & (j->n_slots - 1)) {
        hone_joined_item *it = &j->items[j->slots[at] - 1];
        if (it->hash == hash && it->id_len == id.len && memcmp(it->id, id.ptr, id.len) == 0)
            return it;
    }
    return NULL;
}

const hone_joined_item *hone_joined_find(const hone_joined *j, hone_str id)
{
    return find(j, id, hone_xxh64(id.ptr, id.len, 0));
}

hone_status hone__joined_item(hone_joined *j, hone_str id, hone_joined_item **out)
{
    uint64_t hash = hone_xxh64(id.ptr, id.len, 0);
    *out = NULL;
    if (j->limit && hash >= j->limit)
        return HONE_OK;
    hone_joined_item *known = find(j, id, hash);
    if (known) {
        *out = known;
        return HONE_OK;
    }
    HONE_TRY(grow(&j->items, &j->cap_items, j->n_items, sizeof *j->items));
    if (2 * (j->n_items + 1) > j->n_slots)
        HONE_TRY(rehash_items(j, 2 * (j->n_items + 1)));
    char *copy = hone_arena_strndup(&j->arena, id.ptr, id.len);
    if (!copy)
        return HONE_E_NOMEM;
    hone_joined_item *it = &j->items[j->n_items];
    memset(it, 0, sizeof *it);
    it->id = copy;
    it->id_len = id.len;
    it->hash = hash;
    it->cluster = hash;
    it->length = -1;
    put_slot(j->slots, j->n_slots, hash, j->n_items++);
    while (too_much(j) && j->n_items > 1)
        HONE_TRY(halve(j));
    if (j->limit && hash >= j->limit)
        return HONE_OK;
    *out = &j->items[j->n_items - 1]; /* the newest is the last of those kept */
    return HONE_OK;
}

/* ---- experts, ratings, slices -------------------------------------------------------------------------- */

static hone_status expert_named(hone_joined *j, hone_str name, uint32_t *out)
{
    size_t known = (size_t)(uintptr_t)hone_map_get(&j->expert_map, name.ptr, name.len);
    if (known) {
        *out = (uint32_t)known - 1;
        return HONE_OK;
    }
    if (j->n_experts == HONE_JOINED_EXPERTS) {
        hone_fail(HONE_E_LIMIT, "labels of more than %d experts", HONE_JOINED_EXPERTS);
        return hone_fail_hint(
            "is the column \"expert\" a name, the same in every row of a person?");
    }
    HONE_TRY(grow(&j->experts, &j->cap_experts, j->n_experts, sizeof *j->experts));
    char *copy = hone_arena_strndup(&j->arena, name.ptr, name.len);
    if (!copy)
        return HONE_E_NOMEM;
    *out = (uint32_t)j->n_experts;
    j->experts[j->n_experts++] = copy;
    return hone_map_put(&j->expert_map, name.ptr, name.len, (void *)(uintptr_t)j->n_experts, NULL);
}

static hone_status remember_again(hone_joined *j, double first, double second)
{
    if (j->n_again == MAX_AGAIN)
        return HONE_OK;
    HONE_TRY(grow(&j->again, &j->cap_again, j->n_again, sizeof *j->again));
    j->again[j->n_again][0] = first;
    j->again[j->n_again++][1] = second;
    return HONE_OK;
}

hone_status hone__joined_label(hone_joined *j, hone_joined_item *it, hone_str expert, double value,
                               int flagged)
{
    uint32_t item = (uint32_t)(it - j->items), e = 0;
    HONE_TRY(expert_named(j, expert, &e));
    uint64_t hash = label_hash(item, e);
    it->labelled = 1;
    if (j->n_label_slots)
        for (size_t at = (size_t)hash & (j->n_label_slots - 1); j->label_slots[at];
             at = (at + 1) & (j->n_label_slots - 1)) {
            hone_joined_label *l = &j->labels[j->label_slots[at] - 1];
            if (l->item != item || l->expert != e)
                continue;
            HONE_TRY(remember_again(j, l->value, value));
            if (!flagged && l->value != value)
                hone__joined_odd(j, &j->contradictory, it->id);
            if (!flagged)
                l->value = value;
            return HONE_OK;
        }
    HONE_TRY(grow(&j->labels, &j->cap_labels, j->n_labels, sizeof *j->labels));
    if (2 * (j->n_labels + 1) > j->n_label_slots)
        HONE_TRY(rehash_labels(j, 2 * (j->n_labels + 1)));
    j->labels[j->n_labels] = (hone_joined_label){item, e, value};
    put_slot(j->label_slots, j->n_label_slots, hash, j->n_labels++);
    while (too_much(j) && j->n_items > 1)
        HONE_TRY(halve(j));
    return HONE_OK;
}

hone_status hone__joined_score(hone_joined *j, uint32_t item, uint32_t repeat,
                               const hone_str *criterion, double value)
{
    int32_t at = -1;
    if (criterion) {
        for (at = 0; (size_t)at < j->n_criteria && !hone_str_eq(*criterion, j->criteria[at]); at++)
            ;
        if (at == HONE_JOINED_CRITERIA)
            return HONE_OK;
        if ((size_t)at == j->n_criteria) {
            j->criteria[at] = hone_arena_strndup(&j->arena, criterion->ptr, criterion->len);
            if (!j->criteria[at])
                return HONE_E_NOMEM;
            j->n_criteria++;
        }
    }
    HONE_TRY(grow(&j->scores, &j->cap_scores, j->n_scores, sizeof *j->scores));
    j->scores[j->n_scores++] = (hone_joined_score_row){item, repeat, at, value};
    return HONE_OK;
}

hone_status hone__joined_slice(hone_joined *j, hone_joined_item *it, hone_str column,
                               hone_str value)
{
    size_t c = 0, v = 0;
    column.len = strnlen(column.ptr, column.len); /* a name ends at a NUL */
    value.len = strnlen(value.ptr, value.len);
    while (c < j->n_columns && !hone_str_eq(column, j->columns[c].name))
        c++;
    if (c == HONE_JOINED_COLUMNS)
        return HONE_OK;
    hone_joined_column *col = &j->columns[c];
    if (c == j->n_columns) {
        memset(col, 0, sizeof *col);
        col->name = hone_arena_strndup(&j->arena, column.ptr, column.len);
        if (!col->name)
            return HONE_E_NOMEM;
        j->n_columns++;
    }
    if (col->many)
        return HONE_OK;
    while (v < col->n && !hone_str_eq(value, col->values[v]))
        v++;
    if (v == col->n) {
        if (col->n == HONE_JOINED_VALUES || value.len > 200) {
            col->many = 1;
            return HONE_OK;
        }
        col->values[v] = hone_arena_strndup(&j->arena, value.ptr, value.len);
        if (!col->values[v])
            return HONE_E_NOMEM;
        col->n++;
    }
    it->slice[c] = (uint8_t)(v + 1);
    return HONE_OK;
}

/* ---- after the last row ---------------------------------------------------------------------------------- */

typedef struct sorted {
    uint64_t cluster, hash;
    uint32_t item;
    int labelled;
} sorted;

static int by_prompt(const void *pa, const void *pb)
{
    const sorted *a = pa, *b = pb;
    if (a->labelled != b->labelled)
        return a->labelled ? -1 : 1;
    if (a->cluster != b->cluster)
        return a->cluster < b->cluster ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
}

static int by_cluster(const void *pa, const void *pb)
{
    const sorted *a = pa, *b = pb;
    return a->cluster < b->cluster ? -1 : a->cluster > b->cluster;
}

/* Counts items by split, and prompts that are in several. */
static void count_splits(hone_joined *j, sorted *all)
{
    for (size_t i = 0; i < j->n_items; i++) {
        const hone_joined_item *it = &j->items[i];
        j->split_items[it->split]++;
        all[i] = (sorted){it->cluster, it->hash, (uint32_t)i, 0};
    }
    if (j->n_items)
        qsort(all, j->n_items, sizeof *all, by_cluster);
    for (size_t i = 0, k; i < j->n_items; i = k) {
        int differ = 0;
        for (k = i; k < j->n_items && all[k].cluster == all[i].cluster; k++)
            differ |= j->items[all[k].item].split != j->items[all[i].item].split;
        if (differ)
            hone__joined_odd(j, &j->moved, j->items[all[i].item].id);
    }
}

static int by_expert(const void *pa, const void *pb)
{
    const hone_joined_rating *a = pa, *b = pb;
    return a->expert < b->expert ? -1 : a->expert > b->expert;
}

/* Ratings by item: counted, then put in their places. */
static hone_status sort_ratings(hone_joined *j)
{
    uint32_t *row = hone_alloc((j->n_items + 1) * sizeof *row);
    j->begin = hone_calloc(j->n + 2, sizeof *j->begin);
    j->ratings = hone_calloc(j->n_labels + 1, sizeof *j->ratings);
    if (!row || !j->begin || !j->ratings) {
        hone_free(row);
        return HONE_E_NOMEM;
    }
    memset(row, 0xff, (j->n_items + 1) * sizeof *row);
    for (size_t i = 0; i < j->n; i++)
        row[j->order[i]] = (uint32_t)i;
    for (size_t i = 0; i < j->n_labels;
         i++) /* begin[i + 2] counts item i; adding up makes ends of beginnings */
        if (row[j->labels[i].item] != UINT32_MAX)
            j->begin[row[j->labels[i].item] + (size_t)2]++;
    for (size_t i = 2; i < j->n + 2; i++)
        j->begin[i] += j->begin[i - 1];
    for (size_t i = 0; i < j->n_labels; i++) {
        const hone_joined_label *l = &j->labels[i];
        if (row[l->item] == UINT32_MAX)
            continue;
        j->ratings[j->begin[row[l->item] + (size_t)1]++] = (hone_joined_rating){l->expert,
                                                                                l->value};
        j->n_ratings++;
    }
    for (size_t i = 0; i < j->n; i++)
        if (j->begin[i + 1] > j->begin[i])
            qsort(&j->ratings[j->begin[i]], j->begin[i + 1] - j->begin[i], sizeof *j->ratings,
                  by_expert);
    hone_free(row);
    return HONE_OK;
}

static hone_status nothing_joined(const hone_joined *j)
{
    if (!j->rows[HONE_ROWS_LABELS]) {
        hone_fail(HONE_E_INVALID, "labels: there is no row");
        return hone_fail_hint("a label has \"item\", \"expert\" and \"score\" or \"choice\"");
    }
    if (!j->n_labels) {
        hone_fail(HONE_E_INVALID, "labels: none of %llu rows has a rating%s%s%s",
                  (unsigned long long)j->rows[HONE_ROWS_LABELS], j->opts.criterion ? " of \"" : "",
                  j->opts.criterion ? j->opts.criterion : "", j->opts.criterion ? "\"" : "");
        return hone_fail_hint("a label has \"item\", \"expert\" and \"score\" or \"choice\"");
    }
    return HONE_OK;
}

hone_status hone_joined_finish(hone_joined *j)
{
    HONE_TRY(hone__lists_finish(j));
    if (!j->opts.keep_scores)
        HONE_TRY(nothing_joined(j));
    const int known_needed = j->rows[HONE_ROWS_VERDICTS] || j->rows[HONE_ROWS_ITEMS];
    HONE_TRY(hone_joined_settle(j));
    sorted *all = hone_calloc(j->n_items + 1, sizeof *all);
    if (!all)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    size_t n = 0;
    count_splits(j, all);
    for (size_t i = 0; i < j->n_items; i++) {
        const hone_joined_item *it = &j->items[i];
        int known = it->in_items || it->in_verdicts;
        if (it->labelled && known_needed && !known)
            hone__joined_odd(j, &j->unknown, it->id);
        if (j->opts.split != HONE_SPLIT_ALL && it->split != j->opts.split)
            continue;
        if (it->labelled ? !known_needed || known : it->in_verdicts)
            all[n++] = (sorted){it->cluster, it->hash, (uint32_t)i, it->labelled};
    }
    if (n)
        qsort(all, n, sizeof *all, by_prompt);
    j->order = hone_alloc((n + 1) * sizeof *j->order);
    if (!j->order)
        s = HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < n; i++) {
        if (all[i].labelled && (i == 0 || all[i].cluster != all[i - 1].cluster))
            j->n_prompts++;
        j->order[i] = all[i].item;
        if (all[i].labelled)
            j->n++;
        else
            j->n_more++;
    }
    hone_free(all);
    if (s >= 0 && j->n == 0 && j->unknown.n && !j->opts.keep_scores) {
        hone_fail(HONE_E_INVALID,
                  "no label is of an item that was judged: %zu items are labelled (%s, ...), none "
                  "of them "
                  "is among the %llu verdicts",
                  j->unknown.n, j->unknown.named[0],
                  (unsigned long long)j->rows[HONE_ROWS_VERDICTS]);
        return hone_fail_hint(
            "a label's \"item\" is the \"id\" of the verdict's row; without verdicts the experts' "
            "agreement with each other can still be told");
    }
    if (s >= 0 && j->n == 0 && !j->opts.keep_scores) {
        hone_fail(HONE_E_INVALID, "no labelled item is in the split \"%s\"",
                  hone_split_name(j->opts.split));
        return hone_fail_hint(
            "the splits have %zu (few-shot), %zu (dev) and %zu (test) items: --split all",
            j->split_items[0], j->split_items[1], j->split_items[2]);
    }
    return s < 0 ? s : sort_ratings(j);
}
