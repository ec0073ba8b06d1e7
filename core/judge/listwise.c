/* listwise.c - see listwise.h: what the columns of lists mean, and pairs of them. */
#include "judge/listwise.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "judge/joined_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NONE = HONE_LIST_CANDIDATES, MOST_ID = 900 };

static const char nothing[] = "a list of one candidate: there is nothing to put in order";

static hone_status grow(void *at, size_t *cap, size_t n, size_t size)
{
    void **list = at;
    if (n < *cap)
        return HONE_OK;
    void *p = hone_reallocarray(*list, *cap ? 2 * *cap : 64, size);
    if (!p)
        return HONE_E_NOMEM;
    *list = p;
    *cap = *cap ? 2 * *cap : 64;
    return HONE_OK;
}

void hone__lists_release(hone_lists *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n; i++)
        hone_free(l->lists[i].shown);
    hone_map_release(&l->by_id);
    hone_map_release(&l->by_candidate);
    hone_map_release(&l->by_expert);
    hone_free(l->lists);
    hone_free(l->experts);
    hone_free(l->held);
    hone_free(l);
}

static hone_list *find(const hone_lists *all, hone_str id)
{
    const size_t at = (size_t)(uintptr_t)hone_map_get(&all->by_id, id.ptr, id.len);
    return at ? &all->lists[at - 1] : NULL;
}

int hone__lists_labelled(const hone_joined *j, hone_str id)
{
    const hone_list *l = j->lists ? find(j->lists, id) : NULL;
    return l && l->labelled;
}

static hone_status list_of(hone_joined *j, hone_str id, hone_list **out)
{
    hone_lists *all = j->lists;
    if ((*out = find(all, id)))
        return HONE_OK;
    if (all->n == HONE_LISTS)
        return hone_fail(HONE_E_LIMIT, "more than %d lists", HONE_LISTS);
    HONE_TRY(grow(&all->lists, &all->cap, all->n, sizeof *all->lists));
    hone_list *l = &all->lists[all->n];
    memset(l, 0, sizeof *l);
    l->id = hone_arena_strndup(&j->arena, id.ptr, id.len);
    l->id_len = id.len;
    l->length = -1;
    if (!l->id)
        return HONE_E_NOMEM;
    HONE_TRY(hone_map_put(&all->by_id, id.ptr, id.len, (void *)(uintptr_t)(all->n + 1), NULL));
    all->n++;
    *out = l;
    return HONE_OK;
}

static hone_str pair_id(const hone_list *l, uint32_t a, uint32_t b, char buf[1024])
{
    const int n = snprintf(buf, 1024, "%.*s#%u-%u", (int)l->id_len, l->id, a, b);
    return (hone_str){buf, n > 0 ? (size_t)n : 0};
}

const hone_joined_item *hone__lists_pair(const hone_joined *j, const hone_list *l, uint32_t a,
                                         uint32_t b)
{
    char buf[1024];
    return hone_joined_find(j, pair_id(l, a, b, buf));
}

int hone_lists_is_row(int kind, const hone_value *row)
{
    const char *const keys[] = {"ranking", "scores", "candidate", "first", "score"};
    const hone_value *v;
    if (row->type != HONE_MAP)
        return 0;
    if (kind == HONE_ROWS_ITEMS) {
        v = hone_value_get(row, "candidates");
        return v && v->type == HONE_LIST && v->u.list.n > 2;
    }
    if (kind == HONE_ROWS_VERDICTS) { /* a judge of pairs tells both: a score, and a ranking */
        v = hone_value_get(row, "score");
        if (v && v->type != HONE_NULL && v->type != HONE_LIST)
            return 0;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        v = hone_value_get(row, keys[i]);
        if (!v || v->type == HONE_NULL || (v->type == HONE_STRING && !v->u.str.len))
            continue;
        if (v->type == HONE_LIST || (kind == HONE_ROWS_LABELS && i != 1 && i != 4))
            return 1;
    }
    return 0;
}

/* ---- candidates by name ---------------------------------------------------------------------------------------------- */

/* Which candidate of `l`: its place, or with `ids` its id where it has one. NONE: it is none. */
static uint32_t candidate_of(const hone_joined *j, const hone_list *l, int ids, const hone_value *v)
{
    char buf[32];
    hone_str text;
    uint32_t n = 0;
    if (!v || !hone__joined_name_of(v, buf, &text))
        return NONE;
    const uintptr_t known = (uintptr_t)hone_map_get(&j->lists->by_candidate, text.ptr, text.len);
    if (ids && known && j->lists->lists + (known - 1) / NONE == l)
        return (uint32_t)((known - 1) % NONE);
    for (size_t i = 0; i < text.len; i++)
        if (i > 1 || text.ptr[i] < '0' || text.ptr[i] > '9')
            return NONE;
        else
            n = n * 10 + (uint32_t)(text.ptr[i] - '0');
    return n < NONE && (!l->k || n < l->k) ? n : NONE;
}

static const char *no_such(const hone_list *l, char why[120])
{
    if (l->k)
        snprintf(why, 120, "it names a candidate that is none of the list's %u", l->k);
    else
        snprintf(why, 120, "it names a candidate that is none (places count from 0 to %d)",
                 NONE - 1);
    return why;
}

/* One level of a ranking: a candidate, or a list of those that are level. Returns what is wrong, or NULL. */
static const char *take_level(const hone_joined *j, const hone_list *l, int ids,
                              const hone_value *v, double place, double *places, uint32_t *n,
                              char why[120])
{
    const size_t many = v->type == HONE_LIST ? v->u.list.n : 1;
    for (size_t i = 0; i < many; i++) {
        const uint32_t c = candidate_of(j, l, ids, v->type == HONE_LIST ? &v->u.list.items[i] : v);
        if (c == NONE)
            return no_such(l, why);
        if (!isnan(places[c])) {
            snprintf(why, 120, "the ranking has candidate %u twice", c);
            return why;
        }
        places[c] = place + ((double)many - 1) / 2;
        ++*n;
    }
    return NULL;
}

/* "2>0=1", as a table has it. */
static const char *take_text(const hone_joined *j, const hone_list *l, int ids, hone_str s,
                             double *places, uint32_t *n, char why[120])
{
    hone_value level[NONE];
    size_t many = 0;
    for (size_t i = 0, from = 0; i <= s.len; i++) {
        if (i < s.len && s.ptr[i] != '>' && s.ptr[i] != '=')
            continue;
        size_t end = i;
        while (from < end && s.ptr[from] == ' ')
            from++;
        while (end > from && s.ptr[end - 1] == ' ')
            end--;
        if (many == NONE)
            return no_such(l, why);
        level[many] = (hone_value){.type = HONE_STRING};
        level[many++].u.str = (hone_str){s.ptr + from, end - from};
        from = i + 1;
        if (i < s.len && s.ptr[i] == '=')
            continue;
        hone_value all = {.type = HONE_LIST};
        all.u.list.items = level;
        all.u.list.n = many;
        const char *wrong = take_level(j, l, ids, &all, *n, places, n, why);
        if (wrong)
            return wrong;
        many = 0;
    }
    return NULL;
}

/* Places from 0, the best, of those that are ranked; NAN for others. Candidates that are level share the mean of their places. */
static const char *places_of(const hone_joined *j, const hone_list *l, int ids, const hone_value *v,
                             double *places, uint32_t *n, char why[120])
{
    for (size_t i = 0; i < NONE; i++)
        places[i] = (double)NAN;
    *n = 0;
    if (v->type == HONE_STRING)
        return take_text(j, l, ids, v->u.str, places, n, why);
    if (v->type != HONE_LIST)
        return "the ranking is no list";
    for (size_t i = 0; i < v->u.list.n; i++) {
        const char *wrong = take_level(j, l, ids, &v->u.list.items[i], *n, places, n, why);
        if (wrong)
            return wrong;
    }
    return NULL;
}

/* The same from scores, the highest first; null has no place. */
static const char *places_of_scores(const hone_value *v, double *places, uint32_t *n)
{
    double x[NONE];
    if (v->u.list.n > NONE)
        return "scores of more than 64 candidates";
    *n = 0;
    for (size_t i = 0; i < NONE; i++)
        places[i] = x[i] = (double)NAN;
    for (size_t i = 0; i < v->u.list.n; i++) {
        const int has = hone__joined_number_of(&v->u.list.items[i], &x[i]);
        if (has < 0)
            return "the scores hold something that is no finite number";
        *n += has > 0;
    }
    for (size_t i = 0; i < v->u.list.n; i++) {
        double above = 0;
        for (size_t k = 0; k < v->u.list.n && !isnan(x[i]); k++)
            above += k == i ? 0 : x[k] > x[i] ? 1 : x[k] == x[i] ? .5 : 0;
        if (!isnan(x[i]))
            places[i] = above;
    }
    return NULL;
}

/* ---- items --------------------------------------------------------------------------------------------------------------- */

/* What is wrong with the ids of k candidates, or NULL. */
static const char *check_ids(const hone_joined *j, const hone_value *ids, size_t k)
{
    char buf[32], buf2[32];
    hone_str id, other;
    if (ids->type != HONE_LIST || ids->u.list.n != k)
        return "\"ids\" names the candidates, one each";
    for (size_t i = 0; i < k; i++) {
        if (!hone__joined_name_of(&ids->u.list.items[i], buf, &id))
            return "\"ids\" holds something that is no name";
        int twice = hone_map_get(&j->lists->by_candidate, id.ptr, id.len) != NULL;
        for (size_t h = 0; h < i; h++)
            twice |= hone__joined_name_of(&ids->u.list.items[h], buf2, &other) &&
                     hone_str_same(id, other);
        if (twice)
            return "\"ids\" holds an id that another candidate has";
    }
    return NULL;
}

static hone_status keep_ids(hone_joined *j, const hone_list *l, const hone_value *ids)
{
    char buf[32];
    hone_str id;
    for (size_t i = 0; i < l->k; i++) {
        const size_t at = (size_t)(l - j->lists->lists) * NONE + i + 1;
        (void)hone__joined_name_of(&ids->u.list.items[i], buf, &id);
        HONE_TRY(
            hone_map_put(&j->lists->by_candidate, id.ptr, id.len, (void *)(uintptr_t)at, NULL));
    }
    return HONE_OK;
}

static hone_status add_item(hone_joined *j, const char *name, uint64_t number, hone_str id,
                            const hone_value *row)
{
    const hone_value *c = hone_value_get(row, "candidates"), *ids = hone_value_get(row, "ids");
    hone_list *l;
    char buf[1024];
    if (ids && ids->type == HONE_NULL)
        ids = NULL;
    if (!c || c->type != HONE_LIST)
        return hone__joined_bad(j, name, number, "there is no list \"candidates\"");
    if (c->u.list.n < 2)
        return hone__joined_bad(j, name, number, nothing);
    if (c->u.list.n > NONE)
        return hone__joined_bad(j, name, number, "more than 64 candidates");
    const char *wrong = ids ? check_ids(j, ids, c->u.list.n) : NULL;
    if (wrong)
        return hone__joined_bad(j, name, number, "%s", wrong);
    HONE_TRY(list_of(j, id, &l));
    if (l->in_items)
        return hone__joined_bad(j, name, number, "another item has this id");
    if (l->k && l->k != c->u.list.n)
        return hone__joined_bad(j, name, number, "it has %zu candidates, its verdict orders %u",
                                c->u.list.n, l->k);
    l->k = (uint32_t)c->u.list.n;
    l->in_items = 1;
    l->length = 0;
    for (size_t i = 0; i < l->k; i++)
        if (c->u.list.items[i].type == HONE_STRING)
            l->length += (int64_t)c->u.list.items[i].u.str.len;
    if (ids)
        HONE_TRY(keep_ids(j, l, ids));
    for (uint32_t a = 0; a < l->k; a++)
        for (uint32_t b = a + 1; b < l->k; b++)
            HONE_TRY(hone__joined_item_row(j, name, number, row, pair_id(l, a, b, buf)));
    return HONE_OK;
}

/* ---- verdicts ------------------------------------------------------------------------------------------------------------ */

/* Where each candidate was shown; as listed where the row does not say. Returns what is wrong, or NULL. */
static const char *positions(const hone_value *order, uint32_t k, uint32_t *at)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < k; i++)
        at[i] = i;
    if (!order || order->type == HONE_NULL)
        return NULL;
    if (order->type != HONE_LIST || order->u.list.n != k)
        return "\"order\" is no order of the candidates";
    for (uint32_t i = 0; i < k; i++) {
        const hone_value *v = &order->u.list.items[i];
        if (v->type != HONE_I64 || v->u.i64 < 0 || v->u.i64 >= k || (seen >> v->u.i64 & 1))
            return "\"order\" is no order of the candidates";
        seen |= (uint64_t)1 << v->u.i64;
        at[v->u.i64] = i;
    }
    return NULL;
}

static hone_status remember_best(hone_list *l, const double *places, const uint32_t *at)
{
    hone_list_shown s = {.order = hone_xxh64(at, l->k * sizeof *at, 0)};
    double least = places[0];
    if (l->n_shown == HONE_LIST_SHOWN)
        return HONE_OK;
    for (uint32_t i = 1; i < l->k; i++)
        least = places[i] < least ? places[i] : least;
    for (uint32_t i = 0; i < l->k; i++)
        s.best |= (uint64_t)(places[i] <= least) << i;
    HONE_TRY(grow(&l->shown, &l->cap_shown, l->n_shown, sizeof *l->shown));
    l->shown[l->n_shown++] = s;
    return HONE_OK;
}

static hone_status put_pairs(hone_joined *j, const char *name, uint64_t number, const hone_list *l,
                             const hone_value *row, const double *places, const uint32_t *at)
{
    char buf[1024];
    hone_joined_item *it;
    for (uint32_t a = 0; a < l->k; a++)
        for (uint32_t b = a + 1; b < l->k; b++) {
            const int second = at[a] > at[b];
            const double score = places[b] - places[a]; /* halves at the least: sums are exact */
            HONE_TRY(hone__joined_item(j, pair_id(l, a, b, buf), &it));
            if (!it)
                continue;
            it->in_verdicts = 1;
            it->status[HONE_JOINED_OK]++;
            it->sum += score;
            it->swapped[second] += score;
            it->n_swapped[second]++;
            HONE_TRY(hone__joined_common(j, it, HONE_ROWS_VERDICTS, name, number, row));
        }
    return HONE_OK;
}

static hone_status add_verdict(hone_joined *j, const char *name, uint64_t number, hone_str id,
                               const hone_value *row)
{
    const hone_value *ranking = hone_value_get(row, "ranking"), *scores = NULL;
    const char *const keys[] = {"scores", "score"};
    char why[120];
    double places[NONE];
    uint32_t at[NONE], n = 0;
    hone_list *l;
    for (size_t i = 0; i < 2 && !scores; i++) {
        const hone_value *v = hone_value_get(row, keys[i]);
        scores = v && v->type == HONE_LIST ? v : NULL;
    }
    const int has = scores || (ranking && ranking->type != HONE_NULL);
    int status = hone__joined_status_of(row, has);
    if (status < 0)
        return hone__joined_bad(j, name, number,
                                "the status is none of ok, unparsed, refused, truncated, timeout, "
                                "budget");
    if (status == HONE_JOINED_OK && !has)
        return hone__joined_bad(j, name, number,
                                "there is neither \"ranking\" nor \"scores\" of candidates");
    HONE_TRY(list_of(j, id, &l));
    if (status == HONE_JOINED_OK) {
        const char *wrong = scores ? places_of_scores(scores, places, &n)
                                   : places_of(j, l, 0, ranking, places, &n, why);
        const uint32_t k = scores ? (uint32_t)scores->u.list.n : n;
        if (!wrong && k < 2)
            wrong = nothing;
        if (!wrong && n != k)
            wrong = "a candidate has no score";
        if (!wrong && l->k && l->k != k) {
            snprintf(why, sizeof why, "it orders %u candidates, the list has %u", k, l->k);
            wrong = why;
        }
        for (uint32_t i = 0; !wrong && i < k; i++)
            if (isnan(places[i]))
                wrong = "the ranking leaves a candidate out";
        if (!wrong)
            wrong = positions(hone_value_get(row, "order"), k, at);
        if (wrong)
            return hone__joined_bad(j, name, number, "%s", wrong);
        l->k = k;
    }
    l->in_verdicts = 1;
    l->status[status]++;
    HONE_TRY(hone__joined_judge(j, row));
    if (status != HONE_JOINED_OK)
        return HONE_OK;
    HONE_TRY(remember_best(l, places, at));
    return put_pairs(j, name, number, l, row, places, at);
}

/* ---- labels -------------------------------------------------------------------------------------------------------------- */

static hone_status hold(hone_joined *j, const hone_list_label *label)
{
    hone_lists *all = j->lists;
    if (all->n_held == HONE_LIST_HELD)
        return hone_fail(HONE_E_LIMIT, "labels of lists: more than %d preferences and levels",
                         HONE_LIST_HELD);
    HONE_TRY(grow(&all->held, &all->cap_held, all->n_held, sizeof *all->held));
    all->held[all->n_held] = *label;
    all->held[all->n_held].seq = (uint32_t)all->n_held;
    all->n_held++;
    return HONE_OK;
}

static hone_status hold_places(hone_joined *j, hone_list_label *label, const double *places)
{
    for (uint32_t a = 0; a < NONE; a++)
        for (uint32_t b = a + 1; b < NONE && !isnan(places[a]); b++) {
            if (isnan(places[b]))
                continue;
            label->first = (uint8_t)a;
            label->second = (uint8_t)b;
            label->value = (places[a] < places[b]) - (places[a] > places[b]);
            HONE_TRY(hold(j, label));
        }
    return HONE_OK;
}

static hone_status expert_of(hone_joined *j, const hone_value *row, uint32_t *out)
{
    hone_lists *all = j->lists;
    char buf[32];
    hone_str name;
    if (!hone__joined_name_of(hone_value_get(row, "expert"), buf, &name))
        name = hone_str_c("expert");
    const size_t known = (size_t)(uintptr_t)hone_map_get(&all->by_expert, name.ptr, name.len);
    *out = known ? (uint32_t)known - 1 : (uint32_t)all->n_experts;
    if (known)
        return HONE_OK;
    if (all->n_experts == HONE_JOINED_EXPERTS)
        return hone_fail(HONE_E_LIMIT, "labels of more than %d experts", HONE_JOINED_EXPERTS);
    HONE_TRY(grow(&all->experts, &all->cap_experts, all->n_experts, sizeof *all->experts));
    if (!(all->experts[all->n_experts] = hone_arena_strndup(&j->arena, name.ptr, name.len)))
        return HONE_E_NOMEM;
    all->n_experts++;
    return hone_map_put(&all->by_expert, name.ptr, name.len, (void *)(uintptr_t)all->n_experts,
                        NULL);
}

static int is_there(const hone_value *v)
{
    return v && v->type != HONE_NULL && !(v->type == HONE_STRING && !v->u.str.len);
}

/* first, second and choice (or a score in [-1, 1]). */
static const char *take_pair(const hone_joined *j, const hone_list *l, const hone_value *row,
                             hone_list_label *label, char why[120])
{
    const hone_value *choice = hone_value_get(row, "choice");
    const uint32_t a = candidate_of(j, l, 1, hone_value_get(row, "first")),
                   b = candidate_of(j, l, 1, hone_value_get(row, "second"));
    int side = 2;
    if (a == NONE || b == NONE)
        return no_such(l, why);
    if (a == b)
        return "a candidate is compared with itself";
    if (is_there(choice)) {
        side = choice->type == HONE_STRING ? hone__joined_choice_of(choice->u.str) : 2;
        if (side == 2)
            return "choice is none of a, b, tie";
        label->value = side;
    } else if (hone__joined_number_of(hone_value_get(row, "score"), &label->value) <= 0 ||
               fabs(label->value) > 1) {
        return "there is neither choice nor a score from -1 to 1 of the two";
    }
    label->value = (label->value > 0) - (label->value < 0);
    label->first = (uint8_t)(a < b ? a : b);
    label->second = (uint8_t)(a < b ? b : a);
    label->value = a < b ? label->value : -label->value;
    return NULL;
}

/* What a label says of its list: 1 when it is held, 0 when it says nothing, or *wrong. */
static hone_status take_label(hone_joined *j, hone_list *l, uint32_t own, const hone_value *row,
                              hone_list_label *label, const char **wrong, char why[120])
{
    const hone_value *ranking = hone_value_get(row, "ranking"),
                     *scores = hone_value_get(row, "scores"),
                     *candidate = hone_value_get(row, "candidate");
    double places[NONE];
    uint32_t n = 0;
    if (is_there(ranking) || (is_there(scores) && scores->type == HONE_LIST)) {
        *wrong = is_there(ranking) ? places_of(j, l, 1, ranking, places, &n, why)
                                   : places_of_scores(scores, places, &n);
        if (!*wrong && !is_there(ranking) && l->k && scores->u.list.n != l->k)
            *wrong = "\"scores\" has not one number for each candidate";
        if (!*wrong && n < 2)
            *wrong = "it tells of one candidate: there is nothing to compare";
        if (*wrong)
            return HONE_OK;
        HONE_TRY(hold_places(j, label, places));
        return 1;
    }
    if (is_there(hone_value_get(row, "first")) || is_there(hone_value_get(row, "second"))) {
        if ((*wrong = take_pair(j, l, row, label, why)))
            return HONE_OK;
        HONE_TRY(hold(j, label));
        return 1;
    }
    if (own == NONE && !is_there(candidate)) {
        *wrong = "a label of a list has ranking, scores, candidate and score, or first, second and "
                 "choice";
        return HONE_OK;
    }
    const uint32_t c = own != NONE ? own : candidate_of(j, l, 1, candidate);
    const int has = hone__joined_number_of(hone_value_get(row, "score"), &label->value);
    if (c == NONE)
        *wrong = no_such(l, why);
    else if (has < 0)
        *wrong = "the score is no finite number";
    if (*wrong || !has)
        return HONE_OK;
    label->first = (uint8_t)c;
    label->second = NONE;
    HONE_TRY(hold(j, label));
    return 1;
}

/* The first text of a column holds for the list. */
static hone_status keep_text(hone_joined *j, const hone_value *row, const char *key, hone_str *at)
{
    char buf[32];
    hone_str text;
    if (at->len || !hone__joined_name_of(hone_value_get(row, key), buf, &text))
        return HONE_OK;
    *at = hone_arena_str(&j->arena, text);
    return at->ptr ? HONE_OK : HONE_E_NOMEM;
}

static hone_status add_label(hone_joined *j, const char *name, uint64_t number, hone_str id,
                             const hone_value *row)
{
    hone_lists *all = j->lists;
    char why[120];
    const char *wrong = NULL;
    double p = 0;
    hone_list *l = find(all, id);
    uint32_t own = NONE;
    hone_list_label label = {.row = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX};
    const uintptr_t known = (uintptr_t)hone_map_get(&all->by_candidate, id.ptr, id.len);
    if (!l && known) { /* the candidate's own id */
        l = &all->lists[(known - 1) / NONE];
        own = (uint32_t)((known - 1) % NONE);
    }
    if (!l)
        HONE_TRY(list_of(j, id, &l));
    if (hone__joined_number_of(hone_value_get(row, "probability"), &p) < 0 || p < 0 || p > 1)
        return hone__joined_bad(j, name, number, "the probability is no number in (0, 1]");
    label.flagged = (uint8_t)hone__joined_flag(hone_value_get(row, "duplicate"));
    label.list = (uint32_t)(l - all->lists);
    HONE_TRY(expert_of(j, row, &label.expert));
    const hone_status s = take_label(j, l, own, row, &label, &wrong, why);
    if (s < 0)
        return s;
    if (wrong)
        return hone__joined_bad(j, name, number, "%s", wrong);
    if (!s) {
        j->empty++;
        return HONE_OK;
    }
    l->labelled = 1;
    l->labels++;
    l->probability = p > 0 ? p : l->probability;
    HONE_TRY(keep_text(j, row, "split", &l->split));
    return keep_text(j, row, "prompt_id", &l->prompt);
}

hone_status hone__lists_add(hone_joined *j, int kind, const char *name, uint64_t number,
                            const hone_value *row)
{
    char buf[32];
    hone_str id;
    if (!j->lists) {
        if (!(j->lists = hone_calloc(1, sizeof *j->lists)))
            return HONE_E_NOMEM;
        hone_map_init(&j->lists->by_id);
        hone_map_init(&j->lists->by_candidate);
        hone_map_init(&j->lists->by_expert);
    }
    const char *first = kind == HONE_ROWS_LABELS ? "item" : "id",
               *other = kind == HONE_ROWS_LABELS ? "id" : "item";
    if (!hone__joined_name_of(hone_value_get(row, first), buf, &id) &&
        !hone__joined_name_of(hone_value_get(row, other), buf, &id)) {
        if (kind == HONE_ROWS_LABELS)
            return hone__joined_bad(j, name, number, "there is no \"item\"");
        snprintf(buf, sizeof buf, "%llu", (unsigned long long)number);
        id = hone_str_c(buf);
    }
    if (kind == HONE_ROWS_LABELS && hone__joined_flag(hone_value_get(row, "settled"))) {
        j->settled++; /* of single answers: lists have none */
        return HONE_OK;
    }
    if (id.len > MOST_ID)
        return hone__joined_bad(j, name, number, "the id is longer than %d bytes", MOST_ID);
    return kind == HONE_ROWS_ITEMS      ? add_item(j, name, number, id, row)
           : kind == HONE_ROWS_VERDICTS ? add_verdict(j, name, number, id, row)
                                        : add_label(j, name, number, id, row);
}

/* ---- after the last row -------------------------------------------------------------------------------------------------- */

/* By list and expert; preferences before levels, as they were read. */
static int by_list(const void *pa, const void *pb)
{
    const hone_list_label *a = pa, *b = pb;
    const int la = a->second == NONE, lb = b->second == NONE;
    if (a->list != b->list)
        return a->list < b->list ? -1 : 1;
    if (a->expert != b->expert)
        return a->expert < b->expert ? -1 : 1;
    if (la != lb)
        return la - lb;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static hone_status rate(hone_joined *j, const hone_list *l, const hone_list_label *label,
                        uint32_t a, uint32_t b, double value)
{
    char buf[1024], z[16];
    hone_joined_item *it;
    HONE_TRY(hone__joined_item(j, pair_id(l, a, b, buf), &it));
    if (!it)
        return HONE_OK;
    it->in_verdicts |= l->in_verdicts; /* also when none of them is in order */
    if (l->prompt.len)
        hone__joined_name(it, HONE_NAMED_LABEL, l->prompt);
    if (l->split.len) {
        snprintf(z, sizeof z, "%.*s", (int)(l->split.len < 15 ? l->split.len : 15), l->split.ptr);
        const int at = hone_split_of(z);
        if (at < 0 || at == HONE_SPLIT_ALL)
            return hone__joined_bad(j, "labels", label->row,
                                    "split \"%s\" is none of few-shot, dev, test", z);
        it->split = (uint8_t)at;
        it->has_split = 1;
    }
    if (l->probability > 0)
        it->probability = l->probability;
    return hone__joined_label(j, it, hone_str_c(j->lists->experts[label->expert]), value,
                              label->flagged);
}

/* All that one expert said of one list: h[0 .. n). */
static hone_status rate_all(hone_joined *j, const hone_list *l, const hone_list_label *h, size_t n)
{
    double level[NONE];
    const hone_list_label *from[NONE] = {NULL};
    for (size_t i = 0; i < n; i++) {
        const uint32_t most = h[i].second == NONE || h[i].first > h[i].second ? h[i].first
                                                                              : h[i].second;
        if (l->k && most >= l->k) {
            HONE_TRY(hone__joined_bad(j, "labels", h[i].row,
                                      "it names candidate %u of a list of %u (places count from 0)",
                                      most, l->k));
            continue;
        }
        if (h[i].second != NONE) {
            HONE_TRY(rate(j, l, &h[i], h[i].first, h[i].second, h[i].value));
        } else if (!from[h[i].first] || !h[i].flagged) {
            level[h[i].first] = h[i].value;
            from[h[i].first] = &h[i];
        }
    }
    for (uint32_t a = 0; a < NONE; a++)
        for (uint32_t b = a + 1; b < NONE && from[a]; b++)
            if (from[b])
                HONE_TRY(rate(j, l, from[a], a, b, (level[a] > level[b]) - (level[a] < level[b])));
    return HONE_OK;
}

/* Pairs that nobody named a prompt of are of the list's: not each of one of its own. */
static hone_status name_pairs(hone_joined *j)
{
    char buf[1024];
    hone_joined_item *it;
    for (size_t i = 0; i < j->lists->n; i++) {
        const hone_list *l = &j->lists->lists[i];
        const hone_str id = {l->id, l->id_len};
        for (uint32_t a = 0; a < l->k; a++)
            for (uint32_t b = a + 1; b < l->k; b++) {
                const hone_str pair = pair_id(l, a, b, buf);
                if (!hone_joined_find(j, pair))
                    continue;
                HONE_TRY(hone__joined_item(j, pair, &it));
                if (it)
                    hone__joined_name(it, HONE_NAMED_TEXT, id);
            }
    }
    return HONE_OK;
}

hone_status hone__lists_finish(hone_joined *j)
{
    hone_lists *all = j->lists;
    if (!all)
        return HONE_OK;
    const int known_needed = j->rows[HONE_ROWS_VERDICTS] || j->rows[HONE_ROWS_ITEMS];
    size_t used = 0;
    if (all->n_held)
        qsort(all->held, all->n_held, sizeof *all->held, by_list);
    for (size_t i = 0, k; i < all->n_held; i = k) {
        hone_list *l = &all->lists[all->held[i].list];
        for (k = i; k < all->n_held && all->held[k].list == all->held[i].list &&
                    all->held[k].expert == all->held[i].expert;
             k++)
            ;
        if (known_needed && !l->in_items && !l->in_verdicts) {
            hone__joined_odd(j, &j->unknown, l->id);
            continue;
        }
        if (!l->k) /* nobody counted them: as many as labels name */
            for (size_t h = i; h < all->n_held && all->held[h].list == all->held[i].list; h++) {
                const uint8_t a = all->held[h].first,
                              b = all->held[h].second == NONE ? a : all->held[h].second;
                l->k = a + 1u > l->k ? a + 1u : l->k;
                l->k = b + 1u > l->k ? b + 1u : l->k;
            }
        HONE_TRY(rate_all(j, l, &all->held[i], k - i));
        used++;
    }
    if (all->n_held && !used) {
        hone_fail(HONE_E_INVALID,
                  "no label is of a list that was judged: %zu lists are labelled (%s, ...)",
                  j->unknown.n, j->unknown.named[0]);
        return hone_fail_hint("a label's \"item\" is the \"id\" of the list, or with --items that "
                              "have \"ids\" the id of a candidate");
    }
    if (all->n_held && !j->n_labels) {
        hone_fail(HONE_E_INVALID, "no expert compared two candidates of one list");
        return hone_fail_hint("levels of two candidates of a list by the same expert are wanted, "
                              "a preference, or a ranking");
    }
    return name_pairs(j);
}
