/* rubric.h - what the files of rubric.so share: the judge, its settings, and what a backend is.
 *
 * The host's hone.judging/1 makes questions of items and verdicts of answers; a backend is what answers the questions. It is
 * a small table of functions, one file each, listed in judge.c. A backend answers a whole batch at once and may be asked again
 * for some (a repair turn, another seed); it knows nothing of rubrics, orders or parsing. */
#ifndef HONE_RUBRIC_H
#define HONE_RUBRIC_H
#include "hone/judging.h"
#include "hone/plugin.h"

#include <string.h>

/* Rows of the configuration table, in its order (judge.c). */
enum {
    F_RUBRIC,
    F_PROMPT,
    F_BACKEND,
    F_MODEL,
    F_DECODING,
    F_ORDERS,
    F_MIN_MASS,
    F_BUDGET,
    F_URL,
    F_KEY,
    F_PRICES,
    F_HTTP,
    F_EXTRA,
    F_OTHERWISE,
    F_END
};
enum { RUBRIC_STOP = 0, RUBRIC_DEGRADE = 1, RUBRIC_ABSTAIN = 2 }; /* when a budget is spent */

struct rubric_backend;
typedef struct rubric_judge {
    const hone_host *host;
    hone_ref mem, judging;
    uint64_t spec;
    const struct rubric_backend *backend;
    void *state;             /* the backend's */
    int when_spent;          /* RUBRIC_STOP ..., of a backend that has a budget */
    hone_ref otherwise;      /* of RUBRIC_DEGRADE: hone.judge/1 */
    struct rubric_batch *at; /* the batch of the call that runs */
} rubric_judge;

/* For a backend that gets its answers one after the other: this one is there, in place. The verdict on its item goes out
 * at once, if it was the last that it waited for. */
hone_status rubric_answered(rubric_judge *j, const hone_judging_answer *a);

/* Memory of one call: all of it goes when the call ends. */
typedef struct rubric_pool {
    const rubric_judge *judge;
    struct rubric_block *blocks;
} rubric_pool;
void *rubric_get(rubric_pool *p, size_t n, size_t size); /* n x size, zeroed; NULL: failure set */
/* A copy; {NULL,0} with *failed set on failure. */
hone_str rubric_keep(rubric_pool *p, hone_str s, int *failed);

enum { RUBRIC_ABOUT = 16 };
typedef struct rubric_about { /* what verdicts depend on besides rubric and prompt: into the spec */
    hone_pair pairs[RUBRIC_ABOUT];
    size_t n;
} rubric_about;
void rubric_add_text(rubric_about *a, const char *key, hone_str value);

typedef struct rubric_backend {
    const char *name; /* of the setting `backend` */
    /* Reads its settings; judge->state is its own. It fetches what it needs of the host here, and only then.
     * [control-thread] */
    hone_status (*open)(rubric_judge *j, const hone_config *cfg);
    void (*close)(rubric_judge *j); /* after an open that succeeded */
    /* Names what its answers depend on; texts stay valid as long as cfg. */
    void (*about)(const rubric_judge *j, const hone_config *cfg, rubric_about *a);
    /* Answers n questions. answers[i] has item, number and attempt of questions[i] and the detail UNPARSED; texts and
     * log-probs lie in `pool`. A failure ends the whole batch; what concerns one question is its detail.
     * [worker-thread & active] */
    hone_status (*answer)(rubric_judge *j, const hone_call *call, rubric_pool *pool,
                          const hone_judging_question *questions, size_t n,
                          hone_judging_answer *answers);
} rubric_backend;

extern const rubric_backend rubric_policy, rubric_model, rubric_endpoint;
extern const hone_component rubric_component;
#endif
