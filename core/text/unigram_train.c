/* unigram_train.c - see unigram_train.h.
 *
 * The distinct words stand sorted in one text, so that every sum is taken in one order. Candidates come from
 * its sorted suffixes: equal beginnings lie together. A round is two steps of EM (forward and backward over
 * each word's lattice, in logarithms; digamma makes rare pieces rarer) and one of pruning: a piece is worth what
 * the likelihood loses when its best other spelling stands in for it. Logarithms are core/base/math64's. */
#include "text/unigram_train.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/map.h"
#include "base/math64.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CHARS = 1 << 20, MAX_PIECE_CHARS = 64 };
#define WS "\xE2\x96\x81"

typedef struct uword {
    hone_str text;
    int64_t count;
} uword;
typedef struct upiece {
    hone_str text;
    double score; /* log probability */
    double weight;
    int one; /* a single character: stays */
} upiece;
typedef struct edge {
    uint64_t key; /* parent << 8 | byte */
    uint32_t child;
    uint32_t pad;
} edge;
typedef struct trainer {
    const hone_unigram_train_config *cfg;
    size_t max_piece;
    hone_map seen; /* word -> index + 1 */
    uword *words;
    size_t n_words, cap_words, total_words;
    upiece *pieces;
    size_t n, cap;
    edge *edges;
    size_t n_slots, cap_slots;
    int32_t *at_node; /* piece that ends at a node, or -1 */
    uint32_t n_nodes;
    double *fore, *back; /* by byte of the word in work */
    uint32_t *from;
    int32_t *by;
    size_t room;
} trainer;

/* ---- words ----------------------------------------------------------------------------------------- */
static hone_status count_word(trainer *t, hone_str w)
{
    if (w.len == 0)
        return HONE_OK;
    if (w.len > MAX_CHARS)
        return hone_fail(HONE_E_LIMIT, "Unigram training: a word of more than %d bytes", MAX_CHARS);
    t->total_words++;
    size_t at = (size_t)(uintptr_t)hone_map_get(&t->seen, w.ptr, w.len);
    if (at) {
        t->words[at - 1].count++;
        return HONE_OK;
    }
    if (t->n_words == t->cap_words) {
        size_t cap = t->cap_words ? 2 * t->cap_words : 1024;
        uword *p = hone_reallocarray(t->words, cap, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        t->words = p;
        t->cap_words = cap;
    }
    char *copy = hone_strndup(w.ptr, w.len);
    if (!copy)
        return HONE_E_NOMEM;
    t->words[t->n_words].text.ptr = copy;
    t->words[t->n_words].text.len = w.len;
    t->words[t->n_words++].count = 1;
    return hone_map_put(&t->seen, w.ptr, w.len, (void *)(uintptr_t)t->n_words, NULL);
}

/* As the pre-tokenizers of the result cut it: Metaspace (always), then each newline alone. Bytes that are
 * no UTF-8 end a word and are left out: they are pieces already. */
static hone_status count_text(trainer *t, hone_str s)
{
    hone_buf w;
    hone_status st = HONE_OK;
    hone_buf_init(&w, HONE_BUF_MAX_DEFAULT);
    if (s.len && s.ptr[0] != ' ' && !(s.len >= 3 && memcmp(s.ptr, WS, 3) == 0))
        hone_buf_adds(&w, WS);
    for (size_t i = 0; st >= 0 && i < s.len;) {
        int k = hone_utf8_step(s, i, NULL);
        int ws = s.ptr[i] == ' ' || (k == 3 && memcmp(s.ptr + i, WS, 3) == 0);
        if (ws || k <= 0 || s.ptr[i] == '\n') {
            st = count_word(t, hone_buf_str(&w));
            hone_buf_clear(&w);
        }
        if (ws)
            hone_buf_adds(&w, WS);
        else if (k > 0 && s.ptr[i] == '\n')
            st = st < 0 ? st : count_word(t, (hone_str){"\n", 1});
        else if (k > 0)
            hone_buf_add(&w, s.ptr + i, (size_t)k);
        i += k > 0 ? (size_t)k : 1;
    }
    if (st >= 0)
        st = hone_buf_check(&w, "a word");
    if (st >= 0)
        st = count_word(t, hone_buf_str(&w));
    hone_buf_release(&w);
    return st;
}

static int by_text(const void *a, const void *b)
{
    const uword *x = a, *y = b;
    size_t n = x->text.len < y->text.len ? x->text.len : y->text.len;
    int c = memcmp(x->text.ptr, y->text.ptr, n);
    return c ? c : (x->text.len > y->text.len) - (x->text.len < y->text.len);
}

/* ---- pieces ------------------------------------------------------------------------------------------ */
static hone_status add_piece(trainer *t, hone_str text, double weight, int one)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 1024;
        upiece *p = hone_reallocarray(t->pieces, cap, sizeof *p);
        if (!p)
            return HONE_E_NOMEM;
        t->pieces = p;
        t->cap = cap;
    }
    t->pieces[t->n++] = (upiece){text, 0, weight, one};
    return HONE_OK;
}

static int compare(hone_str a, hone_str b)
{
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* The heaviest first; single characters before all others. */
static int by_weight(const void *a, const void *b)
{
    const upiece *x = a, *y = b;
    if (x->one != y->one)
        return y->one - x->one;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return compare(x->text, y->text);
}

static int by_score(const void *a, const void *b)
{
    const upiece *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return compare(x->text, y->text);
}

typedef struct suffix { /* at most max_piece characters of a word, from a character on */
    hone_str text;
    int64_t count;
} suffix;

static int by_suffix(const void *a, const void *b)
{
    return compare(((const suffix *)a)->text, ((const suffix *)b)->text);
}

static size_t char_len(const char *p)
{
    unsigned char c = (unsigned char)*p;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* Runs of sorted suffixes that begin alike: one candidate for each length that two of them share. */
static hone_status candidates(trainer *t, const suffix *v, size_t n)
{
    for (size_t chars = 1; chars <= t->max_piece; chars++)
        for (size_t i = 0; i < n;) {
            size_t len = 0, k = 0;
            for (; k < chars && len < v[i].text.len; k++)
                len += char_len(v[i].text.ptr + len);
            if (k < chars) {
                i++;
                continue;
            }
            int64_t count = 0;
            hone_str text = {v[i].text.ptr, len};
            for (; i < n && v[i].text.len >= len && memcmp(v[i].text.ptr, text.ptr, len) == 0; i++)
                count += v[i].count;
            if (chars == 1 || count >= 2)
                HONE_TRY(add_piece(t, text, (double)count * (double)chars, chars == 1));
        }
    return HONE_OK;
}

static hone_status seed(trainer *t)
{
    size_t n = 0, k = 0, chars = 0;
    for (size_t i = 0; i < t->n_words; i++)
        for (size_t at = 0; at < t->words[i].text.len; at += char_len(t->words[i].text.ptr + at))
            chars++;
    suffix *v = hone_calloc(chars + 1, sizeof *v);
    if (!v)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < t->n_words; i++) {
        hone_str w = t->words[i].text;
        for (size_t at = 0; at < w.len; at += char_len(w.ptr + at)) {
            size_t end = at;
            for (size_t c = 0; c < t->max_piece && end < w.len; c++)
                end += char_len(w.ptr + end);
            v[n].text = (hone_str){w.ptr + at, end - at};
            v[n++].count = t->words[i].count;
        }
    }
    qsort(v, n, sizeof *v, by_suffix);
    hone_status s = candidates(t, v, n);
    hone_free(v);
    HONE_TRY(s);
    if (t->n > 0)
        qsort(t->pieces, t->n, sizeof *t->pieces, by_weight);
    size_t most = t->cfg->seeds ? t->cfg->seeds : 1000000;
    while (k < t->n && t->pieces[k].one)
        k++;
    if (t->n > k + most)
        t->n = k + most;
    double sum = 0;
    for (size_t i = 0; i < t->n; i++)
        sum += t->pieces[i].weight;
    for (size_t i = 0; i < t->n; i++)
        t->pieces[i].score = hone_math_log(t->pieces[i].weight) - hone_math_log(sum);
    return HONE_OK;
}

/* ---- the trie ------------------------------------------------------------------------------------------- */
static edge *slot(const trainer *t, uint32_t node, unsigned char byte)
{
    uint64_t key = (uint64_t)node << 8 | byte;
    size_t i = (size_t)((key * 0x9E3779B97F4A7C15u) >> 24) & (t->n_slots - 1);
    while (t->edges[i].child && t->edges[i].key != key)
        i = (i + 1) & (t->n_slots - 1);
    return &t->edges[i];
}

static hone_status index_pieces(trainer *t)
{
    size_t bytes = 1, size = 1024;
    for (size_t i = 0; i < t->n; i++)
        bytes += t->pieces[i].text.len;
    if (bytes > UINT32_MAX)
        return hone_fail(HONE_E_LIMIT, "Unigram training: more than 4 GiB of candidates");
    while (size < 2 * bytes)
        size *= 2;
    if (size > t->cap_slots) {
        hone_free(t->edges);
        hone_free(t->at_node);
        t->edges = hone_calloc(size, sizeof *t->edges);
        t->at_node = hone_calloc(size, sizeof *t->at_node);
        t->cap_slots = t->edges && t->at_node ? size : 0;
        if (!t->cap_slots)
            return HONE_E_NOMEM;
    }
    t->n_slots = size;
    memset(t->edges, 0, size * sizeof *t->edges);
    t->n_nodes = 1;
    t->at_node[0] = -1;
    for (size_t i = 0; i < t->n; i++) {
        uint32_t node = 0;
        for (size_t k = 0; k < t->pieces[i].text.len; k++) {
            edge *e = slot(t, node, (unsigned char)t->pieces[i].text.ptr[k]);
            if (!e->child) {
                e->key = (uint64_t)node << 8 | (unsigned char)t->pieces[i].text.ptr[k];
                e->child = t->n_nodes;
                t->at_node[t->n_nodes++] = -1;
            }
            node = e->child;
        }
        t->at_node[node] = (int32_t)i;
    }
    return HONE_OK;
}

static hone_status room(trainer *t, size_t n)
{
    if (n <= t->room)
        return HONE_OK;
    double *fore = hone_reallocarray(t->fore, n, sizeof *fore);
    if (fore)
        t->fore = fore;
    double *back = fore ? hone_reallocarray(t->back, n, sizeof *back) : NULL;
    if (back)
        t->back = back;
    uint32_t *from = back ? hone_reallocarray(t->from, n, sizeof *from) : NULL;
    if (from)
        t->from = from;
    int32_t *by = from ? hone_reallocarray(t->by, n, sizeof *by) : NULL;
    if (!by)
        return HONE_E_NOMEM;
    t->by = by;
    t->room = n;
    return HONE_OK;
}

/* ---- expectation and maximisation ---------------------------------------------------------------------------- */
#define NOWHERE (-1e300)

static double log_add(double a, double b)
{
    double hi = a > b ? a : b, lo = a > b ? b : a;
    return lo <= NOWHERE ? hi : hi + hone_math_log(1 + hone_math_exp(lo - hi));
}

/* Adds the expected uses of each piece in one word to its weight. */
static hone_status expect(trainer *t, const uword *w)
{
    hone_str s = w->text;
    HONE_TRY(room(t, s.len + 1));
    for (size_t i = 0; i <= s.len; i++)
        t->fore[i] = t->back[i] = NOWHERE;
    t->fore[0] = t->back[s.len] = 0;
    for (int backward = 0; backward < 2; backward++)
        for (size_t step = 0; step < s.len; step++) {
            size_t i = backward ? s.len - 1 - step : step;
            if (t->fore[i] <= NOWHERE)
                continue;
            uint32_t node = 0;
            for (size_t end = i; end < s.len;) {
                node = slot(t, node, (unsigned char)s.ptr[end++])->child;
                if (!node)
                    break;
                int32_t p = t->at_node[node];
                if (p < 0)
                    continue;
                double score = t->pieces[p].score;
                if (!backward)
                    t->fore[end] = log_add(t->fore[end], t->fore[i] + score);
                else if (t->back[end] > NOWHERE)
                    t->back[i] = log_add(t->back[i], t->back[end] + score);
            }
        }
    double all = t->fore[s.len];
    for (size_t i = 0; i < s.len; i++) {
        if (t->fore[i] <= NOWHERE)
            continue;
        uint32_t node = 0;
        for (size_t end = i; end < s.len;) {
            node = slot(t, node, (unsigned char)s.ptr[end++])->child;
            if (!node)
                break;
            int32_t p = t->at_node[node];
            if (p >= 0 && t->back[end] > NOWHERE)
                t->pieces[p].weight += (double)w->count *
                                       hone_math_exp(t->fore[i] + t->pieces[p].score +
                                                     t->back[end] - all);
        }
    }
    return HONE_OK;
}

/* d log Gamma(x) / dx, by recurrence and the asymptotic series (Abramowitz and Stegun 6.3.5, 6.3.18). */
static double digamma(double x)
{
    double sum = 0;
    for (; x < 7; x += 1)
        sum -= 1 / x;
    double y = 1 / (x * x);
    return sum + hone_math_log(x) - 0.5 / x -
           y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y / 132))));
}

static hone_status em(trainer *t)
{
    HONE_TRY(index_pieces(t));
    for (size_t i = 0; i < t->n; i++)
        t->pieces[i].weight = 0;
    for (size_t i = 0; i < t->n_words; i++)
        HONE_TRY(expect(t, &t->words[i]));
    double sum = 0;
    size_t k = 0;
    for (size_t i = 0; i < t->n; i++) {
        upiece p = t->pieces[i];
        if (p.weight < 0.5 && !p.one)
            continue;
        if (p.weight < 0.5)
            p.weight = 0.5;
        sum += p.weight;
        t->pieces[k++] = p;
    }
    t->n = k;
    double log_sum = digamma(sum);
    for (size_t i = 0; i < t->n; i++)
        t->pieces[i].score = digamma(t->pieces[i].weight) - log_sum;
    return HONE_OK;
}

/* The best way through s, without piece `not`: from[] and by[] at each place; its score. */
static hone_status best_way(trainer *t, hone_str s, int32_t not, double *score)
{
    HONE_TRY(room(t, s.len + 1));
    for (size_t i = 0; i <= s.len; i++)
        t->fore[i] = NOWHERE;
    t->fore[0] = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (t->fore[i] <= NOWHERE)
            continue;
        uint32_t node = 0;
        for (size_t end = i; end < s.len;) {
            node = slot(t, node, (unsigned char)s.ptr[end++])->child;
            if (!node)
                break;
            int32_t p = t->at_node[node];
            if (p < 0 || p == not || !(t->fore[i] + t->pieces[p].score > t->fore[end]))
                continue;
            t->fore[end] = t->fore[i] + t->pieces[p].score;
            t->from[end] = (uint32_t)i;
            t->by[end] = p;
        }
    }
    *score = t->fore[s.len];
    return HONE_OK;
}

/* weight: how often the best ways use a piece. */
static hone_status use(trainer *t, double *sum)
{
    double score;
    *sum = 0;
    for (size_t i = 0; i < t->n; i++)
        t->pieces[i].weight = 0;
    for (size_t i = 0; i < t->n_words; i++) {
        HONE_TRY(best_way(t, t->words[i].text, -1, &score));
        for (size_t at = t->words[i].text.len; at > 0; at = t->from[at]) {
            t->pieces[t->by[at]].weight += (double)t->words[i].count;
            *sum += (double)t->words[i].count;
        }
    }
    return HONE_OK;
}

/* Keeps what the likelihood would miss most, `keep` pieces in all. */
static hone_status prune(trainer *t, size_t keep)
{
    double sum, score;
    HONE_TRY(index_pieces(t));
    HONE_TRY(use(t, &sum));
    double *loss = hone_calloc(t->n + 1, sizeof *loss);
    if (!loss)
        return HONE_E_NOMEM;
    for (size_t i = 0; i < t->n; i++) {
        upiece *p = &t->pieces[i];
        hone_status s = best_way(t, p->text, (int32_t)i, &score);
        if (s < 0) {
            hone_free(loss);
            return s;
        }
        if (p->one || p->weight <= 0 || score > p->score) {
            loss[i] = -1; /* never used, or another spelling is better anyhow */
            continue;
        }
        size_t parts = 0;
        double other = 0;
        for (size_t at = p->text.len; at > 0; at = t->from[at])
            parts++;
        double log_all = hone_math_log(sum + p->weight * (double)(parts - 1));
        for (size_t at = p->text.len; at > 0; at = t->from[at])
            other += hone_math_log(t->pieces[t->by[at]].weight + p->weight) - log_all;
        loss[i] = p->weight / sum * (hone_math_log(p->weight) - hone_math_log(sum) - other);
    }
    size_t k = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->pieces[i].one || loss[i] >= 0) {
            t->pieces[k] = t->pieces[i];
            t->pieces[k++].weight = loss[i];
        }
    hone_free(loss);
    qsort(t->pieces, k, sizeof *t->pieces, by_weight);
    t->n = k < keep ? k : keep;
    return HONE_OK;
}

static hone_status train(trainer *t, size_t wanted)
{
    double shrink = t->cfg->shrink > 0 ? t->cfg->shrink : 0.75;
    size_t ones = 0, rough = wanted + wanted / 10;
    HONE_TRY(seed(t));
    for (size_t i = 0; i < t->n; i++)
        ones += (size_t)t->pieces[i].one;
    if (ones > wanted)
        return hone_fail(
            HONE_E_INVALID,
            "Unigram training: the texts have %zu different characters, the vocabulary has "
            "room for %zu pieces",
            ones, wanted);
    for (;;) {
        for (int k = 0; k < 2; k++)
            HONE_TRY(em(t));
        if (t->n <= rough)
            break;
        size_t before = t->n, keep = (size_t)((double)t->n * shrink);
        HONE_TRY(prune(t, keep > rough ? keep : rough));
        if (t->n == before)
            break;
    }
    /* the characters, then the likeliest of the others */
    for (size_t i = 0; i < t->n; i++)
        t->pieces[i].weight = t->pieces[i].score;
    if (t->n > 0) {
        qsort(t->pieces, t->n, sizeof *t->pieces, by_weight);
        t->n = t->n < wanted ? t->n : wanted;
        qsort(t->pieces, t->n, sizeof *t->pieces, by_score);
    }
    return HONE_OK;
}

/* ---- the files --------------------------------------------------------------------------------------------- */
static void entry(hone_jw *w, hone_str text, double score)
{
    hone_jw_list(w);
    hone_jw_str(w, text);
    hone_jw_f64(w, score);
    hone_jw_end(w);
}

static void metaspace(hone_jw *w)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "Metaspace");
    hone_jw_kcstr(w, "replacement", WS);
    hone_jw_kcstr(w, "prepend_scheme", "always");
    hone_jw_kbool(w, "split", 1);
    hone_jw_end(w);
}

static void rules(hone_jw *w)
{
    hone_jw_kcstr(w, "normalizer", NULL);
    hone_jw_key(w, "pre_tokenizer");
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "Sequence");
    hone_jw_key(w, "pretokenizers");
    hone_jw_list(w);
    metaspace(w);
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "Split");
    hone_jw_key(w, "pattern");
    hone_jw_map(w);
    hone_jw_kcstr(w, "String", "\n");
    hone_jw_end(w);
    hone_jw_kcstr(w, "behavior", "Isolated");
    hone_jw_kbool(w, "invert", 0);
    hone_jw_end(w);
    hone_jw_end(w);
    hone_jw_end(w);
    hone_jw_kcstr(w, "post_processor", NULL);
    hone_jw_key(w, "decoder");
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "Sequence");
    hone_jw_key(w, "decoders");
    hone_jw_list(w);
    hone_jw_map(w);
    hone_jw_kcstr(w, "type", "ByteFallback");
    hone_jw_end(w);
    metaspace(w);
    hone_jw_end(w);
    hone_jw_end(w);
}

static hone_status write_tokenizer(const trainer *t, hone_buf *out)
{
    const hone_bpe_train_config *c = &t->cfg->base;
    hone_jw w;
    hone_jw_init(&w, out, 2);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "version", "1.0");
    hone_jw_kcstr(&w, "truncation", NULL);
    hone_jw_kcstr(&w, "padding", NULL);
    hone_jw_key(&w, "added_tokens");
    hone_jw_list(&w);
    for (size_t i = 0; i <= c->n_special; i++) {
        hone_jw_map(&w);
        hone_jw_ki64(&w, "id", (int64_t)i);
        hone_jw_kstr(&w, "content", i < c->n_special ? c->special[i] : hone_str_c("<unk>"));
        static const char *const flags[] = {"single_word", "lstrip", "rstrip", "normalized"};
        for (int k = 0; k < 4; k++)
            hone_jw_kbool(&w, flags[k], 0);
        hone_jw_kbool(&w, "special", 1);
        hone_jw_end(&w);
    }
    hone_jw_end(&w);
    rules(&w);
    hone_jw_key(&w, "model");
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "type", "Unigram");
    hone_jw_ki64(&w, "unk_id", (int64_t)c->n_special);
    hone_jw_kbool(&w, "byte_fallback", 1);
    hone_jw_key(&w, "vocab");
    hone_jw_list(&w);
    for (size_t i = 0; i < c->n_special; i++)
        entry(&w, c->special[i], 0);
    entry(&w, hone_str_c("<unk>"), 0);
    for (int b = 0; b < 256; b++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", b);
        entry(&w, hone_str_c(text), 0);
    }
    for (size_t i = 0; i < t->n; i++)
        entry(&w, t->pieces[i].text, t->pieces[i].score);
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_jw_end(&w);
    hone_buf_addc(out, '\n');
    return hone_buf_check(out, "tokenizer.json");
}

/* A special token, <unk> or <0xNN> that is also a piece would stand twice in the vocabulary. */
static void drop_reserved(trainer *t)
{
    const hone_bpe_train_config *c = &t->cfg->base;
    size_t k = 0;
    for (size_t i = 0; i < t->n; i++) {
        hone_str s = t->pieces[i].text;
        int reserved = hone_str_eq(s, "<unk>") ||
                       (s.len == 6 && memcmp(s.ptr, "<0x", 3) == 0 && s.ptr[5] == '>');
        for (size_t j = 0; j < c->n_special && !reserved; j++)
            reserved = hone_str_same(s, c->special[j]);
        if (!reserved)
            t->pieces[k++] = t->pieces[i];
    }
    t->n = k;
}

hone_status hone_unigram_train(const hone_str *texts, size_t n,
                               const hone_unigram_train_config *cfg, hone_buf *tokenizer_json,
                               hone_buf *config_json, hone_bpe_train_info *info)
{
    trainer t = {.cfg = cfg, .max_piece = cfg->max_piece ? cfg->max_piece : 16};
    hone_status s;
    HONE_TRY(hone__train_check(&cfg->base));
    size_t fixed = cfg->base.n_special + 257;
    if (cfg->base.vocab_size < fixed || t.max_piece > MAX_PIECE_CHARS || cfg->shrink >= 1)
        return hone_fail(HONE_E_INVALID,
                         "Unigram training: vocab_size must be %zu at least (special "
                         "tokens, <unk>, 256 bytes), max_piece %d at most, shrink below 1",
                         fixed, MAX_PIECE_CHARS);
    hone_map_init(&t.seen);
    for (size_t i = 0; i < n; i++)
        HONE_TRY_GOTO(count_text(&t, texts[i]), done);
    if (t.n_words)
        qsort(t.words, t.n_words, sizeof *t.words, by_text);
    HONE_TRY_GOTO(train(&t, cfg->base.vocab_size - fixed), done);
    drop_reserved(&t);
    s = HONE_OK;
    if (tokenizer_json)
        HONE_TRY_GOTO(write_tokenizer(&t, tokenizer_json), done);
    if (config_json)
        HONE_TRY_GOTO(hone__train_config_json(&cfg->base, config_json), done);
    if (info)
        *info = (hone_bpe_train_info){fixed + t.n, t.n, t.total_words, t.n_words};
done:
    for (size_t i = 0; i < t.n_words; i++)
        hone_free((void *)(uintptr_t)t.words[i].text.ptr);
    hone_free(t.words);
    hone_free(t.pieces);
    hone_free(t.edges);
    hone_free(t.at_node);
    hone_free(t.fore);
    hone_free(t.back);
    hone_free(t.from);
    hone_free(t.by);
    hone_map_release(&t.seen);
    return s;
}
