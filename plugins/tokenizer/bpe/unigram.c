/* unigram.c - the pieces of a text whose scores have the greatest sum (Kudo 2018; Viterbi).
 *
 * From each character on, a trie gives the pieces that begin there; a character that is no piece alone is
 * unk, ten below the worst score. At a place that no piece reaches across the way so far is settled: it
 * is given out and its memory used again, so that a long text costs what its longest knot costs. Sums are
 * kept as the reference keeps them, float for SentencePiece's files, double for tokenizer.json.
 * Source: sentencepiece's unigram_model.cc (EncodeOptimized), tokenizers' models/unigram. */
#include "bpe.h"

#include <float.h>
#include <string.h>

typedef struct best_way { /* to a place of the text */
    double score;
    uint32_t begin; /* of the last piece, from the knot's begin; NONE: not reached */
    int32_t id;     /* -1: unk */
} best_way;
#define NONE UINT32_MAX

static uint32_t slot(const bpe_trie *t, uint32_t node, unsigned char byte)
{
    uint32_t key = node << 8 | byte;
    uint32_t i = (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 32) & t->mask;
    while (t->edges[i].child && t->edges[i].key != key)
        i = (i + 1) & t->mask;
    return i;
}

static void insert(bpe_trie *t, hone_str s, int32_t id)
{
    uint32_t node = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint32_t k = slot(t, node, (unsigned char)s.ptr[i]);
        if (!t->edges[k].child) {
            t->edges[k].key = node << 8 | (unsigned char)s.ptr[i];
            t->edges[k].child = t->n_nodes++;
        }
        node = t->edges[k].child;
    }
    if (t->id[node] < 0)
        t->id[node] = id;
}

static int is_piece(const bpe_tok *t, int32_t id)
{
    uint8_t k = t->kind[id];
    return t->text[id].len && (k == BPE_T_NORMAL || k == BPE_T_USER);
}

hone_status bpe_unigram_done(bpe_tok *t)
{
    size_t bytes = 1;
    double lowest = 0, highest = 0;
    int any = 0;
    for (int32_t id = 0; id < t->n_ids; id++) {
        if (is_piece(t, id) && (bytes += t->text[id].len) > (size_t)1 << 30)
            break; /* past the limit below */
        if (!t->text[id].ptr || t->kind[id] != BPE_T_NORMAL)
            continue;
        lowest = !any || t->score[id] < lowest ? t->score[id] : lowest;
        highest = !any || t->score[id] > highest ? t->score[id] : highest;
        any = 1;
    }
    if (t->float_sums && highest < (double)FLT_MIN)
        highest = (double)FLT_MIN; /* where SentencePiece begins to look for it */
    if (bytes >= 1 << 24)
        return hone_host_fail(t->host, HONE_E_LIMIT,
                              "tokenizer: the pieces have %zu bytes in all; 16 MiB are the limit",
                              bytes);
    uint32_t size = 16;
    while (size < 2 * bytes)
        size *= 2;
    bpe_trie *trie = &t->trie;
    trie->edges = bpe_arena_alloc(&t->arena, size * sizeof *trie->edges);
    trie->id = bpe_arena_alloc(&t->arena, bytes * sizeof *trie->id);
    if (!trie->edges || !trie->id)
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    memset(trie->edges, 0, size * sizeof *trie->edges);
    memset(trie->id, 0xFF, bytes * sizeof *trie->id);
    trie->mask = size - 1;
    trie->n_nodes = 1;
    for (int32_t id = 0; id < t->n_ids; id++)
        if (is_piece(t, id))
            insert(trie, t->text[id], id);
    t->unk_score = t->float_sums ? (double)((float)lowest - 10.0f) : lowest - 10.0;
    t->top_score = highest;
    return HONE_OK;
}

static void offer(const bpe_tok *t, best_way *to, double score, uint32_t begin, int32_t id)
{
    if (to->begin != NONE && !(score > to->score))
        return;
    to->score = t->float_sums ? (double)(float)score : score;
    to->begin = begin;
    to->id = id;
}

static double score_of(const bpe_tok *t, int32_t id, size_t len)
{
    if (t->kind[id] != BPE_T_USER)
        return t->score[id];
    return t->user_zero ? 0.0 : (double)(float)((float)len * (float)t->top_score) - 0.1;
}

static int reach(bpe_work *w, size_t n)
{
    while (w->best.n < n) {
        best_way none = {0, NONE, -1};
        if (!bpe_vec_room(w->mem, &w->best, 1, sizeof none))
            return 0;
        ((best_way *)w->best.v)[w->best.n++] = none;
    }
    return 1;
}

/* The way to `end`, its pieces in order. Places are the knot's; it begins at `begin` of the piece. */
static int give(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t begin, size_t end,
                size_t base, int spans)
{
    const best_way *b = w->best.v;
    w->splits.n = 0;
    for (uint32_t at = (uint32_t)end; at > 0; at = b[at].begin) {
        if (!bpe_vec_room(w->mem, &w->splits, 1, sizeof(uint32_t)))
            return 0;
        ((uint32_t *)w->splits.v)[w->splits.n++] = at;
    }
    const uint32_t *ends = w->splits.v;
    for (size_t k = w->splits.n, from = 0; k-- > 0; from = ends[k]) {
        size_t at = begin + from, n = ends[k] - from;
        int32_t id = b[ends[k]].id;
        if (id >= 0 ? !bpe_push(w, id, base + at, base + at + n, spans)
                    : !bpe_unknown(t, w, text + at, n, base + at, spans))
            return 0;
    }
    return 1;
}

int bpe_unigram_word(const bpe_tok *t, bpe_work *w, const unsigned char *text, size_t n,
                     size_t base, int spans)
{
    const bpe_trie *trie = &t->trie;
    size_t knot = 0, furthest = 0; /* where the knot begins; how far a piece reaches */
    uint32_t len;
    double here = 0;
    w->best.n = 0;
    for (size_t i = 0; i < n; i += len) {
        bpe_decode_char(text + i, n - i, &len);
        if (i >= furthest) {
            if (i > knot) {
                here = ((best_way *)w->best.v)[i - knot].score;
                if (!give(t, w, text, knot, i - knot, base, spans))
                    return 0;
            }
            knot = furthest = i;
            w->best.n = 0;
            if (!reach(w, 1))
                return 0;
        } else {
            here = ((best_way *)w->best.v)[i - knot].score;
        }
        int alone = 0;
        uint32_t node = 0;
        for (size_t end = i; end < n;) {
            node = trie->edges[slot(trie, node, text[end])].child;
            if (!node)
                break;
            end++;
            int32_t id = trie->id[node];
            if (id < 0)
                continue;
            if (!reach(w, end - knot + 1))
                return 0;
            offer(t, (best_way *)w->best.v + (end - knot), here + score_of(t, id, end - i),
                  (uint32_t)(i - knot), id);
            alone |= end - i == len;
            furthest = end > furthest ? end : furthest;
        }
        if (alone)
            continue;
        if (!reach(w, i + len - knot + 1))
            return 0;
        offer(t, (best_way *)w->best.v + (i + len - knot), here + t->unk_score,
              (uint32_t)(i - knot), -1);
        furthest = i + len > furthest ? i + len : furthest;
    }
    return n == knot || give(t, w, text, knot, n - knot, base, spans);
}
