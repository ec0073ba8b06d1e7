/* hone/reward.h - rewards: a batch of samples in, one outcome each out.
 *
 * Batch first: one call a batch, never one a sample. Outcomes are typed: a score, or an abstention,
 * an error; a time-out is the host's. (plugin-abi.md 3) */
#ifndef HONE_REWARD_H
#define HONE_REWARD_H
#include "hone/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_IFACE_REWARD "hone.reward/1"

enum {
    HONE_PENDING = 0,
    HONE_SCORE = 1,
    HONE_ABSTAIN = 2,
    HONE_ERROR = 3,
    HONE_TIMEOUT = 4 /* the host's */
};
typedef struct hone_outcome {
    uint32_t status;
    float score; /* finite when SCORE */
} hone_outcome;

/* One per batch call. */
typedef struct hone_call {
    uint32_t struct_size, n;
    uint64_t id, deadline_ns;  /* CLOCK_MONOTONIC; 0 = none */
    const uint32_t *cancelled; /* read it through hone_cancelled() between samples */
} hone_call;
static inline int hone_cancelled(const hone_call *call)
{
    return call->cancelled && __atomic_load_n(call->cancelled, __ATOMIC_RELAXED) != 0;
}

enum { HONE_FINISH_STOP = 1, HONE_FINISH_LENGTH = 2, HONE_FINISH_CANCELLED = 3 };
typedef struct hone_sample {
    uint64_t id, group;
    hone_str prompt, completion; /* valid UTF-8: a cut character is shown as U+FFFD */
    const hone_message *messages;
    size_t n_messages;
    const int32_t *tokens; /* the completion's */
    const float *logprobs; /* sampler's, or NULL */
    size_t n_tokens;
    const hone_column *columns; /* the data row */
    size_t n_columns;
    uint32_t finish, turn; /* HONE_FINISH_*; 0 when unknown */
} hone_sample;

/* Notes: named values beside an outcome, for the report and the rollout file. The text noted as "reason"
 * beside an error or an abstention is its reason. */
typedef struct hone_notes {
    uint32_t struct_size, reserved;
    void *ctx;
    void (*put)(const struct hone_notes *notes, size_t sample, hone_str name,
                const hone_value *value_bor); /* [worker-thread & active] */
} hone_notes;

typedef struct hone_token_scores {
    uint32_t struct_size, reserved;
    void *ctx;
    /* One number per completion token of `sample`, and the sample's outcome. [worker-thread & active] */
    hone_status (*put)(const struct hone_token_scores *sink, size_t sample, hone_outcome outcome,
                       const float *scores_bor, size_t n);
} hone_token_scores;

typedef struct hone_reward_v1 {
    uint32_t struct_size, reserved;
    /* Score n samples. The host presets PENDING; write the score, then the status (hone_outcome_set).
     * PENDING after HONE_OK is the error "not answered". [worker-thread & active], concurrent only if REENTRANT */
    hone_status (*score)(void *self, const hone_call *call, const hone_sample *in_bor, size_t n,
                         size_t in_stride, hone_outcome *out_bor, size_t out_stride,
                         const hone_notes *notes);
    /* Optional: one number per completion token (process rewards). [worker-thread & active] */
    hone_status (*score_tokens)(void *self, const hone_call *call, const hone_sample *in_bor,
                                size_t n, size_t in_stride, const hone_token_scores *sink);
    /* Optional: n is one whole group, or several in order. [worker-thread & active] */
    hone_status (*score_groups)(void *self, const hone_call *call, const hone_sample *in_bor,
                                size_t n, size_t in_stride, hone_outcome *out_bor,
                                size_t out_stride, const hone_notes *notes);
} hone_reward_v1; /* the host calls the first present of score_groups, score_tokens, score */

/* Element i of a strided array. */
static inline const hone_sample *hone_sample_at(const hone_sample *in, size_t stride, size_t i)
{
    return (const hone_sample *)((const char *)in + i * stride);
}
/* Writes outcome i: score first, then status with release order, so that a reader that sees the
 * status sees the score. */
static inline void hone_outcome_set(hone_outcome *out, size_t stride, size_t i, uint32_t status,
                                    float score)
{
    hone_outcome *o = (hone_outcome *)((char *)out + i * stride);
    o->score = score;
    __atomic_store_n(&o->status, status, __ATOMIC_RELEASE);
}
/* The data column `name`, or NULL. */
static inline const hone_value *hone_sample_column(const hone_sample *s, const char *name)
{
    hone_str want = hone_str_c(name);
    size_t i, j;
    for (i = 0; i < s->n_columns; i++) {
        hone_str have = s->columns[i].name;
        if (have.len != want.len)
            continue;
        for (j = 0; j < want.len && have.ptr[j] == want.ptr[j]; j++)
            ;
        if (j == want.len)
            return &s->columns[i].value;
    }
    return NULL;
}

/* In C, `const hone_component NAME`, a reward with the functions of `table`: see HONE_DEFINE_COMPONENT. */
#define HONE_DEFINE_REWARD(name, table, ...)                                                       \
    HONE_DEFINE_COMPONENT(name, HONE_KIND_REWARD, HONE_IFACE_REWARD, table, __VA_ARGS__)

/* A whole plugin file with one reward that keeps nothing beside its settings: its tables, and the exported
 * entry. `score` is its function hone_reward_v1.score; its `self` is the instance's const hone_config *,
 * read with hone_reward_config(self). `need`: the lowest SDK version it works with, 0x000100 at least.
 * `fields`, `wants`: NULL-terminated arrays, or NULL (no settings; every member of the samples). At file
 * scope, once, C11 and C++17. A reward with state of its own writes create and destroy itself. */
#define HONE_REWARD_PLUGIN(need, id, version, summary, caps, fields, wants, score)                 \
    static const hone_reward_v1 hone_rp_table = {sizeof(hone_reward_v1), 0, score, NULL, NULL};    \
    static hone_status hone_rp_create(const hone_host *host, const hone_config *cfg, void **self)  \
    {                                                                                              \
        (void)host;                                                                                \
        *self = (void *)(uintptr_t)cfg; /* valid until destroy */                                  \
        return HONE_OK;                                                                            \
    }                                                                                              \
    static void hone_rp_destroy(void *self)                                                        \
    {                                                                                              \
        (void)self;                                                                                \
    }                                                                                              \
    static const void *hone_rp_get_iface(void *self, const char *asked)                            \
    {                                                                                              \
        (void)self;                                                                                \
        return hone_iface_is(asked, HONE_IFACE_REWARD) ? &hone_rp_table : NULL;                    \
    }                                                                                              \
    static const char *const hone_rp_provides[] = {HONE_IFACE_REWARD, NULL};                       \
    static const hone_component hone_rp_component = {sizeof(hone_component),                       \
                                                     0,                                            \
                                                     id,                                           \
                                                     HONE_KIND_REWARD,                             \
                                                     version,                                      \
                                                     NULL,                                         \
                                                     NULL,                                         \
                                                     summary,                                      \
                                                     NULL,                                         \
                                                     caps,                                         \
                                                     fields,                                       \
                                                     NULL,                                         \
                                                     hone_rp_provides,                             \
                                                     wants,                                        \
                                                     hone_rp_create,                               \
                                                     hone_rp_destroy,                              \
                                                     hone_rp_get_iface};                           \
    static const hone_component *const hone_rp_components[] = {&hone_rp_component, NULL};          \
    static const hone_magic hone_rp_magic = HONE_MAGIC(need);                                      \
    static const hone_entry hone_rp_entry = {                                                      \
        sizeof(hone_entry), 0, &hone_rp_magic, hone_rp_components, NULL, NULL, NULL};              \
    const hone_entry *hone_plugin_entry(void)                                                      \
    {                                                                                              \
        return &hone_rp_entry;                                                                     \
    }                                                                                              \
    typedef int hone_rp_done /* takes the semicolon */
static inline const hone_config *hone_reward_config(void *self)
{
    return (const hone_config *)self;
}

#ifdef __cplusplus
}
#endif
#endif
