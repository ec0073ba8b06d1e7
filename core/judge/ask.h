/* ask.h - asks a judge about items, as often and in as many orders as wanted, and remembers the answers.
 *
 *   hone_ask_params p = {.ref = judge, .instance = inst, .spec = hash, .book = book, .repeats = 3, .orders = 1};
 *   hone_ask(&p, items, n, take, ctx);        take() gets every answer once: item by item, order by order, repeat by repeat
 *
 * The key idea: an answer is known by a hash over the judge's spec, the item's inputs, the repetition and the order. One that
 * the book has is not asked for again; one that came is in the book before take() sees it, so work that was interrupted goes
 * on where it stopped. Only what another try would not change is remembered: ok, unparsed, refused, truncated; not
 * time-outs and spent budgets. A judge that tells no spec is asked anew each time.
 *
 * Answers are in the item's own order: what a judge said of swapped candidates is turned back. Each (item, repeat) has
 * an `id` of its own in hone_judge_item, which judges that draw at random key their streams by. Only "ok" has a number.
 * (judges.md 1, 4, 5) */
#ifndef HONE_CORE_JUDGE_ASK_H
#define HONE_CORE_JUDGE_ASK_H
#include "base/json.h"
#include "hone/judge.h"
#include "host/registry.h"
#include "judge/book.h"

enum { HONE_ASK_ORDERS = 4, HONE_ASK_CANDIDATES = 64 };

/* Name of a HONE_VERDICT_*: "ok", "unparsed", "refused", "truncated", "timeout", "budget"; NULL for what is none. And back, -1. */
const char *hone_verdict_name(uint32_t detail);
int hone_verdict_of_name(hone_str name);

/* What is judged: a data row as an item. Texts are the row's, or lie in the arena. */
typedef struct hone_ask_item {
    hone_judge_item it; /* without id; columns: all but id, prompt_id, split, seconds of labels */
    hone_str id, prompt_id;
    char input[65]; /* SHA-256 of what the judge sees */
} hone_ask_item;
/* Row number `number` (from 1) of the file `data`. E_NOT_FOUND without completion or candidates; E_INVALID with no
 * candidate, more than 64, or one that is no text. */
hone_status hone_ask_item_read(const char *data, const hone_value *row, uint64_t number,
                               hone_arena *arena, hone_ask_item *out);

typedef struct hone_answer {
    const hone_ask_item *item;
    size_t index; /* of the item */
    uint32_t repeat;
    uint32_t order[HONE_ASK_CANDIDATES]; /* order[i] is the candidate that was shown in place i */
    uint32_t detail;                     /* HONE_VERDICT_*: OK has a score, a ranking, or both */
    double score;            /* NaN: none. Of two candidates: > 0, the first is better */
    const uint32_t *ranking; /* best first; or NULL */
    const double *criteria;  /* n_criteria, NaN: not judged; of a pair > 0: the first is better */
    const hone_str *criterion_names;
    size_t n_criteria;
    const double *label_probs;
    const hone_str *labels;
    size_t n_labels;
    double mass, entropy, cost, latency_ms; /* NaN: unknown */
    double
        inconsistency; /* a judge that showed several orders itself: half their difference; NaN: unknown */
    uint64_t tokens_in, tokens_out; /* 0: unknown */
    hone_str reasoning;
    hone_str raw;   /* the replies as they came; of a remembered answer empty: the book has them */
    int remembered; /* it comes from the book */
    hone_str row;   /* the verdict row, as `hone judge run` writes it */
} hone_answer;

/* Everything an answer points at is good until fn returns; its failure ends the work. */
typedef hone_status (*hone_ask_fn)(void *ctx, const hone_answer *a);

typedef struct hone_ask_params {
    hone_ref ref; /* hone.judge/1 */
    hone_instance *instance;
    const char *spec, *spec_json; /* hash and text; "" or NULL: it tells none */
    const char *rubric;           /* "id@hash", or "" */
    hone_book *book;              /* NULL: nothing is remembered */
    int anew;                     /* what the book has is asked again, and replaced */
    uint32_t repeats;             /* 0: 1 */
    int orders; /* candidates in 2 (pairs) or up to 4 orders (rotations), else in the given one */
    uint32_t batch;   /* items a call; 0: 64 */
    double timeout_s; /* of a call; 0: 600 */
    const int *stop;  /* not NULL: looked at between calls; E_INTERRUPTED when set */
} hone_ask_params;

/* `*asked` (or NULL): how many answers were not remembered. The instance is called on the calling thread. */
hone_status hone_ask(const hone_ask_params *p, const hone_ask_item *items, size_t n, hone_ask_fn fn,
                     void *ctx, size_t *asked);
/* In how many orders items of k candidates are shown. */
uint32_t hone_ask_orders(const hone_ask_params *p, size_t k);
/* A verdict row read back, with the item's number of candidates: as take() would get it. E_PARSE, E_INVALID naming what is wrong. */
hone_status hone_answer_read(const hone_value *row, size_t n_candidates, hone_arena *arena,
                             hone_answer *out);
#endif
