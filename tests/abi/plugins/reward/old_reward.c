/* old_reward.c - a reward: the answer is in the text, and the text is about as long as wanted. */
#include "hone/reward.h"

#include <string.h>

enum { TARGET, BONUS }; /* places in the table of settings */
static const hone_field *const fields[] = {
    HONE_INT("target", 40, 1, 100000, 0, "bytes that a completion should have"),
    HONE_F64("bonus", .5, 0, 1, 0, "weight of the answer; the rest is for the length"), NULL};
static const char *const wants[] = {"completion", "columns", NULL};

static int contains(hone_str text, hone_str word)
{
    for (size_t i = 0; word.len && i + word.len <= text.len; i++)
        if (memcmp(text.ptr + i, word.ptr, word.len) == 0)
            return 1;
    return 0;
}

/* One call a batch. What is left pending is the error "not answered". */
static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                         size_t in_stride, hone_outcome *out, size_t out_stride,
                         const hone_notes *notes)
{
    const hone_config *cfg = hone_reward_config(self);
    double target = (double)cfg->i64(cfg, TARGET), bonus = cfg->f64(cfg, BONUS);
    for (size_t i = 0; i < n && !hone_cancelled(call); i++) {
        const hone_sample *s = hone_sample_at(in, in_stride, i);
        const hone_value *answer = hone_sample_column(s, "answer");
        if (!answer || answer->type != HONE_STRING) { /* not a zero: nobody could have known */
            hone_outcome_set(out, out_stride, i, HONE_ABSTAIN, 0);
            continue;
        }
        double length = (double)s->completion.len;
        double off = length > target ? (length - target) / length : (target - length) / target;
        int right = contains(s->completion, answer->u.str);
        hone_value found = {.type = HONE_BOOL, .u.boolean = right};
        if (notes)
            notes->put(notes, i, hone_str_c("found"), &found);
        hone_outcome_set(out, out_stride, i, HONE_SCORE,
                         (float)(bonus * right + (1 - bonus) * (1 - off)));
    }
    return HONE_OK;
}

HONE_REWARD_PLUGIN(0x000100, "org.example.reward.old_reward", "0.1.0",
                   "the answer, in about the wanted length",
                   HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT |
                       HONE_CAP_BATCH_INVARIANT,
                   fields, wants, score);
