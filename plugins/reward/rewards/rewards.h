/* rewards.h - what the rewards of rewards.so share: instances, text of samples, outcomes with a reason.
 *
 * Each reward is a file: a settings table, a create that reads it, and one function that scores one
 * sample. The batch loop, cancelling, notes and errors are here (common.c). All are pure, reentrant and
 * batch-invariant: an instance never changes after create. Two ask somebody else, a whole batch at once: judge.c and
 * similarity.c.
 *
 * A sample that lacks what the reward must read (the reference column) is an error with a reason, or an
 * abstention where the settings say on_missing = abstain; never a silent 0. */
#ifndef HONE_REWARDS_H
#define HONE_REWARDS_H
#include "hone/reward.h"

#include <stdlib.h>
#include <string.h>

typedef struct reward reward;

/* One sample's answer. `reason` of an error or abstention is static text or lives in `text`. */
typedef struct verdict {
    uint32_t status;
    double score;
    const char *reason;
    char text[256];
} verdict;

typedef struct scoring { /* one sample being scored */
    const reward *self;
    const hone_sample *sample;
    size_t index;
    const hone_notes *notes;
} scoring;

typedef void (*score_fn)(const scoring *s, verdict *v);

/* First member of every instance. */
struct reward {
    const hone_host *host;
    hone_ref mem;
    size_t size; /* of the whole instance */
    score_fn score;
    void (*release)(reward *self); /* what the instance holds besides itself, or NULL */
};

/* A zeroed instance of `size` bytes. */
hone_status reward_create(const hone_host *host, size_t size, score_fn score, reward **out);
void reward_destroy(void *self);
const void *reward_get_iface(void *self, const char *iface_id);

/* Writes the outcome of a sample, and the note "reason" where there is no score. */
void verdict_is_out(const scoring *s, verdict *v, hone_outcome *out, size_t out_stride);

void *memory_get(const reward *r, size_t size); /* NULL: failure set */
void memory_put(const reward *r, void *p, size_t size);

static inline void score_is(verdict *v, double score)
{
    v->status = HONE_SCORE;
    v->score = score;
}
static inline void error_is(verdict *v, const char *reason)
{
    v->status = HONE_ERROR;
    v->reason = reason;
}
static inline void abstains(verdict *v, const char *reason)
{
    v->status = HONE_ABSTAIN;
    v->reason = reason;
}
void note_text(const scoring *s, const char *name, hone_str text);
void note_number(const scoring *s, const char *name, double x);

/* ---- text ------------------------------------------------------------------------------------------ */

static inline hone_str part(hone_str s, size_t from, size_t to)
{
    hone_str p;
    p.ptr = s.ptr + from;
    p.len = to - from;
    return p;
}
static inline int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
static inline int is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
hone_str trim(hone_str s);
int same(hone_str a, const char *z);
/* Where `what` begins in s at or after `from` / for the last time; SIZE_MAX when it does not. */
size_t find(hone_str s, hone_str what, size_t from);
size_t find_last(hone_str s, hone_str what);
int starts_with(hone_str s, const char *z);

/* Tokens (characters where the sample carries none), UTF-8 characters, or words (runs without white space). */
enum { LENGTH_TOKENS, LENGTH_CHARS, LENGTH_WORDS };
double length_of(const hone_sample *s, uint32_t unit);

/* ---- columns ---------------------------------------------------------------------------------------- */

/* The column as text: strings as they are, integers and floats written into buf. {NULL,0} for other
 * types. */
typedef struct cell_text {
    char number[40];
} cell_text;
hone_str cell_as_text(const hone_value *v, cell_text *buf);
/* The reference column of the sample, or NULL after setting the verdict as on_missing says. */
const hone_value *reference_of(const scoring *s, hone_str column, uint32_t on_missing, verdict *v);
#define ON_MISSING_CHOICES "error|abstain"
#define FIELD_REFERENCE HONE_STR("reference", "answer", 0, "data column with the right answer")
#define FIELD_ON_MISSING                                                                           \
    HONE_ENUM("on_missing", "error", ON_MISSING_CHOICES, 0,                                        \
              "a sample without that column: error, or no opinion")

/* ---- parts that other rewards use ---------------------------------------------------------------- */

/* As math_answer and exact_match score with these settings and the defaults of the others. */
void math_answer_judge(const scoring *s, hone_str column, uint32_t on_missing, verdict *v);
void exact_match_judge(const scoring *s, hone_str column, uint32_t on_missing, verdict *v);
/* Where JSON is looked for: all of the text, its last ``` block, its first { or [; {NULL,0} where it is not there. */
enum { WHERE_WHOLE, WHERE_FENCE, WHERE_FIRST };
hone_str json_found(hone_str text, uint32_t where);
#define FIELD_FIND                                                                                 \
    HONE_ENUM("find", "whole", "whole|fence|first", 0,                                             \
              "where the JSON is: all of the completion, its last ``` block, or its first { or [")

extern const hone_component math_answer_component, exact_match_component, regex_component,
    format_component, length_component, repetition_component, json_valid_component, judge_component,
    json_schema_component, cosine_length_component, soft_overlong_component, think_format_component,
    similarity_component;

extern const char *const reward_provides[];
extern const char *const reward_needs[];
#define REWARD_HEAD(name, text)                                                                    \
    .struct_size = sizeof(hone_component), .id = "org.hone.reward." name,                          \
    .kind = HONE_KIND_REWARD, .version = "0.1.0", .vendor = "hone", .license = "MIT",              \
    .summary = text, .url = "",                                                                    \
    .caps = HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT |                          \
            HONE_CAP_BATCH_INVARIANT,                                                              \
    .provides = reward_provides, .destroy = reward_destroy, .get_iface = reward_get_iface
#endif
