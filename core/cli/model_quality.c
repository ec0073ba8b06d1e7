/* model_quality.c - how far a model file's distributions are from another's.
 *
 * Both models see the same ids as one text. For each position the whole next-token distribution of the
 * original is kept as logits, and compared in double precision: KL(P || Q) = sum P (log P - log Q). One
 * model is loaded at a time. The default text is the project's own: prose, numbers, code and other
 * scripts, about 300 tokens. */
#include "base/alloc.h"
#include "base/file.h"
#include "cli/model.h"
#include "nn/forest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char own_text[] =
    "The harbour was quiet in the morning. Two fishermen mended their nets on the stone wall and "
    "talked about the price of diesel, while a dog slept in the shade of an upturned boat. At nine "
    "the ferry came in from the islands with eleven passengers, a crate of lemons and the post.\n\n"
    "Question: A baker makes 24 rolls in a batch and sells 7 batches in a day. Each roll costs 3 "
    "crowns. How much does she earn in five days?\n"
    "Answer: She sells 24 * 7 = 168 rolls a day, which is 168 * 3 = 504 crowns. In five days that "
    "is 504 * 5 = 2520 crowns.\n\n"
    "def mean(values):\n"
    "    \"\"\"The arithmetic mean of a list that is not empty.\"\"\"\n"
    "    total = 0.0\n"
    "    for v in values:\n"
    "        total += v\n"
    "    return total / len(values)\n\n"
    "Water boils at 100 degrees Celsius at sea level, but on a high mountain it boils earlier, "
    "because the air presses less on its surface. That is why beans take longer to cook there.\n\n"
    "{\"name\": \"Ada\", \"born\": 1815, \"fields\": [\"mathematics\", \"computing\"]}\n\n"
    "Der Zug nach Leipzig f\xc3\xa4hrt um 17 Uhr 42 von Gleis 6 ab. "
    "\xc2\xbf"
    "D\xc3\xb3nde est\xc3\xa1 la biblioteca? "
    "\xd0\x94\xd0\xbe\xd0\xb1\xd1\x80\xd1\x8b\xd0\xb9 \xd0\xb4\xd0\xb5\xd0\xbd\xd1\x8c. "
    "\xe4\xbb\x8a\xe5\xa4\xa9\xe5\xa4\xa9\xe6\xb0\x94\xe5\xbe\x88\xe5\xa5\xbd\xe3\x80\x82\n";

/* ---- logits of every position ------------------------------------------------------------------------ */
/* out: n x vocabulary. */
static hone_status all_logits(hone_policy *p, const int32_t *ids, size_t n, float *out)
{
    hone_forest forest;
    hone_forest_init(&forest);
    int32_t segment = hone_forest_segment(&forest, -1, ids, (int64_t)n);
    hone_status s = segment < 0 ? segment : HONE_OK;
    for (size_t i = 0; i < n && s >= 0; i++)
        s = hone_forest_logits(&forest, (int64_t)i);
    const hone_batch *batch = s >= 0 ? hone_forest_build(&forest) : NULL;
    if (s >= 0 && !batch)
        s = hone_error_get()->code;
    if (s >= 0)
        s = hone_model_begin(p->model, p->tape, HONE_MODE_SCORE, batch, NULL);
    if (s < 0)
        goto out;
    hone_tensor logits = hone_model_logits(p->model, p->tape, hone_model_hidden(p->model, p->tape));
    hone_tape_keep(p->tape, logits);
    HONE_TRY_GOTO(hone_tape_forward(p->tape), out);
    hone_view v = hone_tape_value(p->tape, logits);
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * (size_t)v.cols, (const float *)v.data + (int64_t)i * v.ld,
               (size_t)v.cols * sizeof *out);
out:
    hone_forest_release(&forest);
    return s;
}

/* log(sum(exp(x))) and the place of the largest (the first of equals). */
static double log_sum(const float *x, int64_t n, int64_t *top)
{
    double sum = 0.0;
    *top = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[*top])
            *top = i;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - (double)x[*top]);
    return (double)x[*top] + log(sum);
}

static void compare(const float *p, const float *q, int64_t vocab, const int32_t *ids, size_t n,
                    hone_quality *out)
{
    memset(out, 0, sizeof *out);
    out->tokens = n;
    for (size_t i = 0; i < n; i++, p += vocab, q += vocab) {
        int64_t top_p, top_q;
        double zp = log_sum(p, vocab, &top_p), zq = log_sum(q, vocab, &top_q), kl = 0.0;
        for (int64_t v = 0; v < vocab; v++) {
            double lp = (double)p[v] - zp, lq = (double)q[v] - zq;
            kl += exp(lp) * (lp - lq);
        }
        kl = kl > 0.0 ? kl : 0.0; /* rounding */
        out->agree += top_p == top_q;
        out->kl_mean += kl / (double)n;
        out->kl_max = kl > out->kl_max ? kl : out->kl_max;
        if (i + 1 < n) {
            out->nll_p += (zp - (double)p[ids[i + 1]]) / (double)(n - 1);
            out->nll_q += (zq - (double)q[ids[i + 1]]) / (double)(n - 1);
        }
    }
}

/* ---- the text ---------------------------------------------------------------------------------------- */
static hone_status text_ids(const hone_policy *p, const char *file, size_t most, hone_tokens *ids)
{
    hone_buf text;
    hone_status s = HONE_OK;
    int64_t vocab = p->model->info.vocab_size;
    hone_buf_init(&text, (size_t)64 << 20);
    if (file)
        s = hone_file_read(file, (size_t)64 << 20, &text);
    else
        s = hone_buf_adds(&text, own_text);
    if (s >= 0 && p->text && p->text->tokenizer_instance) {
        s = hone_policy_encode_text(p, hone_buf_str(&text), ids);
    } else {
        for (size_t i = 0; i < text.len && s >= 0; i++)
            s = hone_tokens_add1(ids, (int32_t)((unsigned char)text.ptr[i] % vocab));
    }
    hone_buf_release(&text);
    for (size_t i = 0; i < ids->n && s >= 0; i++)
        if (ids->ids[i] >= vocab)
            s = hone_fail(HONE_E_RANGE, "id %d is past the vocabulary of %lld", ids->ids[i],
                          (long long)vocab);
    int64_t positions = p->model->info.max_positions;
    if (positions > 1 && most > (size_t)positions)
        most = (size_t)positions;
    if (ids->n > most)
        ids->n = most;
    if (s >= 0 && ids->n < 2)
        s = hone_fail(HONE_E_INVALID, "%s: a text of at least two tokens is needed",
                      file ? file : "the text");
    return s;
}

hone_status hone__cli_quality(hone_env *env, const char *original, const char *other,
                              const char *file, size_t tokens, uint32_t flags, hone_quality *out)
{
    hone_policy *p = NULL;
    hone_policy_config config = {.model = original, .flags = flags};
    hone_tokens ids;
    float *logits[2] = {NULL, NULL};
    size_t n = 0;
    hone_tokens_init(&ids, 0);
    hone_status s = hone_policy_create(env, &config, &p);
    if (s >= 0)
        s = text_ids(p, file, tokens, &ids);
    int64_t vocab = s >= 0 ? p->model->info.vocab_size : 0;
    for (int i = 0; i < 2 && s >= 0; i++) {
        if (i == 1) {
            hone_policy_destroy(p);
            p = NULL;
            config.model = other;
            s = hone_policy_create(env, &config, &p);
            if (s >= 0 && p->model->info.vocab_size != vocab)
                s = hone_fail(HONE_E_SHAPE, "%s: a vocabulary of %lld, the original's is %lld",
                              other, (long long)p->model->info.vocab_size, (long long)vocab);
            if (s < 0)
                break;
        }
        if (!hone_mul_size(ids.n, (size_t)vocab, &n))
            s = hone_fail(HONE_E_RANGE, "too many tokens");
        logits[i] = s >= 0 ? hone_reallocarray(NULL, n, sizeof **logits) : NULL;
        if (s >= 0)
            s = logits[i] ? all_logits(p, ids.ids, ids.n, logits[i]) : HONE_E_NOMEM;
    }
    if (s >= 0)
        compare(logits[0], logits[1], vocab, ids.ids, ids.n, out);
    hone_free(logits[0]);
    hone_free(logits[1]);
    hone_tokens_release(&ids);
    if (p)
        hone_policy_destroy(p);
    return s;
}

/* ---- what is printed --------------------------------------------------------------------------------- */
void hone__cli_quality_print(const hone_quality *q)
{
    printf("  quality over %zu tokens\n", q->tokens);
    printf("    KL from the original   %.6f mean, %.6f largest\n", q->kl_mean, q->kl_max);
    printf("    same likeliest token   %.1f %% (%zu)\n",
           100.0 * (double)q->agree / (double)q->tokens, q->agree);
    printf("    perplexity             %.4f, the original's is %.4f\n", exp(q->nll_q),
           exp(q->nll_p));
}

void hone__cli_quality_json(const hone_quality *q, hone_jw *j)
{
    hone_jw_key(j, "quality");
    hone_jw_map(j);
    hone_jw_ki64(j, "tokens", (int64_t)q->tokens);
    hone_jw_kf64(j, "kl_mean", q->kl_mean);
    hone_jw_kf64(j, "kl_max", q->kl_max);
    hone_jw_kf64(j, "agreement", (double)q->agree / (double)q->tokens);
    hone_jw_kf64(j, "perplexity", exp(q->nll_q));
    hone_jw_kf64(j, "perplexity_original", exp(q->nll_p));
    hone_jw_end(j);
}
