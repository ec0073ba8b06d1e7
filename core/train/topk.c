/* topk.c - see topk.h. Trees go through the model one after another; their last hidden states meet the head ROWS at a
 * time, so that the logits in memory do not grow with the text. */
#include "train/topk.h"

#include "base/alloc.h"
#include "ops/kern/rows.h"
#include "ops/kernels.h"
#include "tensor/region.h"

#include <string.h>

enum { ROWS = 64 };

static int has_place(const hone_train_tree *t, const hone_train_seq *q, size_t i)
{
    return (!q->mask || q->mask[i]) && (t->n_prompt > 0 || i > 0);
}

size_t hone_policy_topk_rows(const hone_train_tree *trees, size_t n)
{
    size_t rows = 0;
    for (size_t t = 0; t < n; t++)
        for (size_t s = 0; s < trees[t].n_seqs; s++)
            for (size_t i = 0; i < trees[t].seqs[s].n; i++)
                rows += (size_t)has_place(&trees[t], &trees[t].seqs[s], i);
    return rows;
}

/* Is a, at i, behind b, at j? Ties go to the lower id. */
static int behind(float a, int32_t i, float b, int32_t j)
{
    return a < b || (a == b && i > j);
}

/* The k largest of z, largest first: a heap whose root is the last of them. */
static void largest(const float *z, int64_t V, uint32_t k, int32_t *ids)
{
    uint32_t n = 0;
    for (int64_t j = 0; j < V; j++) {
        uint32_t at;
        if (n == k && !behind(z[ids[0]], ids[0], z[j], (int32_t)j))
            continue;
        if (n < k) { /* up from the end */
            for (at = n++; at > 0; at = (at - 1) / 2) {
                const int32_t up = ids[(at - 1) / 2];
                if (!behind(z[j], (int32_t)j, z[up], up))
                    break;
                ids[at] = up;
            }
        } else { /* down from the root */
            for (at = 0; 2 * at + 1 < n;) {
                uint32_t c = 2 * at + 1;
                if (c + 1 < n && behind(z[ids[c + 1]], ids[c + 1], z[ids[c]], ids[c]))
                    c++;
                if (!behind(z[ids[c]], ids[c], z[j], (int32_t)j))
                    break;
                ids[at] = ids[c];
                at = c;
            }
        }
        ids[at] = (int32_t)j;
    }
    for (uint32_t i = 1; i < n; i++) { /* k is small: by insertion */
        const int32_t x = ids[i];
        uint32_t j = i;
        for (; j > 0 && behind(z[ids[j - 1]], ids[j - 1], z[x], x); j--)
            ids[j] = ids[j - 1];
        ids[j] = x;
    }
}

typedef struct tree_rows {
    float *hidden; /* n_tokens x width */
    int32_t *rows; /* whose next token is wanted, in order of the trained-on tokens */
    size_t n;
} tree_rows;

/* Logits of rows [from, from + m), and what is likeliest there. */
static hone_status some_rows(hone_policy *p, const hone_batch *b, const tree_rows *x, size_t from,
                             size_t m, uint32_t k, float inverse, int32_t *ids, float *logp)
{
    hone_batch part = *b;
    const hone_tape_options o = {.adapters = hone_policy_mask(p)};
    part.n_logit_rows = (int64_t)m;
    part.logit_rows = x->rows + from;
    HONE_TRY(hone_model_begin(p->model, p->tape, HONE_MODE_SCORE, &part, &o));
    hone_tensor h = hone_tape_input(p->tape, b->n_tokens, p->model->info.hidden, HONE_F32,
                                    x->hidden);
    hone_tensor z = hone_model_logits(p->model, p->tape, h);
    hone_tape_keep(p->tape, z);
    HONE_TRY(hone_tape_forward(p->tape));
    const hone_view v = hone_tape_value(p->tape, z);
    for (size_t i = 0; !hone_region_planning() && i < m; i++) {
        const float *row = (const float *)v.data + (int64_t)i * v.ld;
        const float lse = hone_rows()->row_lse(row, v.cols, inverse, NULL);
        int32_t *to = ids + (from + i) * k;
        largest(row, v.cols, k, to);
        for (uint32_t j = 0; j < k; j++)
            logp[(from + i) * k + j] = row[to[j]] * inverse - lse;
    }
    return HONE_OK;
}

static hone_status one_tree(hone_policy *p, const hone_train_tree *t, uint32_t k, float inverse,
                            int32_t *ids, float *logp, size_t *n_out)
{
    const hone_tape_options o = {.adapters = hone_policy_mask(p)};
    const int64_t width = p->model->info.hidden;
    tree_rows x = {NULL, NULL, 0};
    hone_forest f;
    hone_forest_init(&f);
    int32_t root = -1;
    size_t cells;
    hone_status s = HONE_OK;
    x.rows = hone_calloc(hone_policy_topk_rows(t, 1) + 1, sizeof *x.rows);
    if (!x.rows)
        s = HONE_E_NOMEM;
    if (s >= 0 && t->n_prompt) {
        root = hone_forest_segment(&f, -1, t->prompt, (int64_t)t->n_prompt);
        s = root < 0 ? root : HONE_OK;
    }
    for (size_t q = 0; s >= 0 && q < t->n_seqs; q++) {
        const int32_t seg = hone_forest_segment(&f, root, t->seqs[q].ids, (int64_t)t->seqs[q].n);
        s = seg < 0 ? seg : HONE_OK;
        for (size_t i = 0; s >= 0 && i < t->seqs[q].n; i++)
            if (has_place(t, &t->seqs[q], i))
                x.rows[x.n++] = (int32_t)hone_forest_row(&f, seg, (int64_t)i);
    }
    const hone_batch *b = s >= 0 ? hone_forest_build(&f) : NULL;
    if (s >= 0)
        s = b ? hone_model_begin(p->model, p->tape, HONE_MODE_SCORE, b, &o)
              : hone_error_get()->code;
    if (s >= 0) {
        hone_tensor h = hone_model_hidden(p->model, p->tape);
        hone_tape_keep(p->tape, h);
        s = hone_tape_forward(p->tape);
        if (s >= 0 && !hone_mul_size((size_t)b->n_tokens, (size_t)width, &cells))
            s = hone_fail(HONE_E_LIMIT, "a text of %lld tokens is too long",
                          (long long)b->n_tokens);
        x.hidden = s >= 0 ? hone_calloc(cells, sizeof *x.hidden) : NULL;
        if (s >= 0 && !x.hidden)
            s = HONE_E_NOMEM;
        const hone_view v = s >= 0 ? hone_tape_value(p->tape, h) : (hone_view){0};
        for (int64_t r = 0; s >= 0 && !hone_region_planning() && r < b->n_tokens; r++)
            memcpy(x.hidden + r * width, (const float *)v.data + r * v.ld,
                   (size_t)width * sizeof(float));
    }
    for (size_t from = 0; s >= 0 && from < x.n; from += ROWS)
        s = some_rows(p, b, &x, from, x.n - from < ROWS ? x.n - from : ROWS, k, inverse, ids, logp);
    *n_out = x.n;
    hone_free(x.hidden);
    hone_free(x.rows);
    hone_forest_release(&f);
    return s;
}

hone_status hone_policy_topk(hone_policy *p, const hone_train_tree *trees, size_t n, uint32_t k,
                             double temperature, int32_t *ids, float *logp)
{
    const int64_t V = p->model->info.vocab_size;
    size_t at = 0, rows;
    if (k < 1 || k > HONE_TOPK_MOST || (int64_t)k > V)
        return hone_fail(HONE_E_RANGE,
                         "the %u likeliest tokens of a vocabulary of %lld; 1 to %d can "
                         "be had",
                         k, (long long)V, HONE_TOPK_MOST);
    if (!(temperature > 0))
        return hone_fail(HONE_E_RANGE, "temperature %g: must be above 0", temperature);
    for (size_t t = 0; t < n; t++) {
        HONE_TRY(one_tree(p, &trees[t], k, (float)(1 / temperature), ids + at * k, logp + at * k,
                          &rows));
        at += rows;
    }
    return HONE_OK;
}
