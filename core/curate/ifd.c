/* ifd.c - see ifd.h. Both passes are one batch of two trees: the question with the answer below it, and the answer alone. */
#include "curate/ifd.h"

#include "base/alloc.h"
#include "train/update.h"

#include <math.h>
#include <string.h>

enum { MAX_TOKENS = 2048 };

struct hone_ifd {
    hone_policy *policy;
    hone_scan question, answer;
    int raw;
    size_t max_tokens;
    hone_tokens prompt, ids, begin;
    float *logp;
    size_t cap;
};

hone_status hone_ifd_create(hone_policy *policy, const char *question, const char *answer, int raw,
                            uint64_t max_tokens, hone_ifd **out)
{
    if (!policy->text || !policy->text->tokenizer_instance)
        return hone_fail(HONE_E_INVALID, "%s: it has no tokenizer", policy->model_path);
    hone_ifd *d = hone_calloc(1, sizeof *d);
    if (!d)
        return HONE_E_NOMEM;
    d->policy = policy;
    d->raw = raw || !policy->text->chat;
    d->max_tokens = max_tokens ? (size_t)max_tokens : MAX_TOKENS;
    hone_tokens_init(&d->prompt, 0);
    hone_tokens_init(&d->ids, 0);
    hone_tokens_init(&d->begin, 0);
    hone_status s = hone_scan_init(&d->question, question);
    if (s >= 0)
        s = hone_scan_init(&d->answer, answer);
    /* What the tokenizer puts around every text: a begin token, perhaps an end token. */
    if (s >= 0)
        s = hone_tokenizer_encode(&policy->text->tokenizer, (hone_str){"a", 1}, HONE_ENCODE_ADD,
                                  &d->begin);
    if (s >= 0)
        s = hone_tokenizer_encode(&policy->text->tokenizer, (hone_str){"a", 1}, 0, &d->ids);
    if (s >= 0) { /* only what stands before the text itself */
        size_t n = 0;
        while (n < d->begin.n && d->ids.n && d->begin.ids[n] != d->ids.ids[0])
            n++;
        d->begin.n = n < d->begin.n ? n : 0;
    }
    if (s < 0) {
        hone_ifd_destroy(d);
        return s;
    }
    *out = d;
    return HONE_OK;
}

void hone_ifd_destroy(hone_ifd *d)
{
    if (!d)
        return;
    hone_scan_release(&d->question);
    hone_scan_release(&d->answer);
    hone_tokens_release(&d->prompt);
    hone_tokens_release(&d->ids);
    hone_tokens_release(&d->begin);
    hone_free(d->logp);
    hone_free(d);
}

static hone_status encode_question(hone_ifd *d, hone_str question)
{
    hone_arena arena;
    hone_value list;
    const hone_message m = {hone_str_c("user"), question};
    hone_tokens_clear(&d->prompt);
    if (d->raw)
        return hone_policy_encode_text(d->policy, question, &d->prompt);
    hone_arena_init(&arena, 0);
    hone_status s = hone_chat_messages(&m, 1, &arena, &list);
    if (s >= 0)
        s = hone_policy_encode_messages(d->policy, &list, NULL, &d->prompt, NULL);
    hone_arena_release(&arena);
    return s;
}

hone_status hone_ifd_of(hone_ifd *d, hone_str question, hone_str answer, double *out)
{
    hone_train_seq with = {0}, without = {0};
    hone_tokens_clear(&d->ids);
    HONE_TRY(encode_question(d, question));
    HONE_TRY(hone_tokenizer_encode(&d->policy->text->tokenizer, answer, 0, &d->ids));
    const size_t n = d->ids.n < d->max_tokens ? d->ids.n : d->max_tokens;
    const size_t first = d->begin.n == 0;
    const size_t skip = d->prompt.n > d->max_tokens ? d->prompt.n - d->max_tokens : 0;
    *out = NAN;
    if (n <= first || d->prompt.n == 0)
        return HONE_OK;
    if (2 * n > d->cap) {
        hone_free(d->logp);
        d->cap = 0;
        d->logp = hone_calloc(2 * n, sizeof *d->logp);
        if (!d->logp)
            return HONE_E_NOMEM;
        d->cap = 2 * n;
    }
    with.ids = without.ids = d->ids.ids;
    with.n = without.n = n;
    const hone_train_tree trees[2] = {
        {.prompt = d->prompt.ids + skip,
         .n_prompt = d->prompt.n - skip,
         .seqs = &with,
         .n_seqs = 1},
        {.prompt = d->begin.ids, .n_prompt = d->begin.n, .seqs = &without, .n_seqs = 1}};
    HONE_TRY(
        hone_policy_logprobs(d->policy, trees, 2, 1.0, hone_policy_mask(d->policy), 0, d->logp));
    double nll[2] = {0, 0};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = first; i < n; i++)
            nll[k] -= (double)d->logp[k * n + i];
    *out = exp((nll[0] - nll[1]) / (double)(n - first));
    return HONE_OK;
}

/* The text without the newline behind its last piece. */
static hone_str text_of(const hone_scan *s)
{
    hone_str t = hone_buf_str(&s->text);
    t.len -= t.len > 0;
    return t;
}

hone_status hone_ifd_score(void *ifd, const hone_input_row *row, double *out)
{
    hone_ifd *d = ifd;
    HONE_TRY(hone_scan_row(&d->question, row->text));
    HONE_TRY(hone_scan_row(&d->answer, row->text));
    return hone_ifd_of(d, text_of(&d->question), text_of(&d->answer), out);
}
