/* book.h - the store of judges: one SQLite file a project, judges.sqlite.
 *
 * What was asked of which judge and what it said (call, verdict), what experts said (expert_label), which rubrics and judges
 * there were (rubric_version, judge_spec), what was measured (calibration_run, probe_run) and decided (gate_decision), with
 * items, batches and experts beside them. Everybody can open it with sqlite3.
 *
 * The key idea: nothing is changed, only added. A label that is given again stands beside the earlier one, which then points to it;
 * a decision is voided by a row, not removed. So a file that was cut off in the middle of anything is whole, and what was
 * decided from it can be looked up.
 *
 * Invariants: each function is one transaction, on disk when it returns (write-ahead log, synchronous FULL), unless the caller
 * opened a larger one with hone_book_begin; several processes may have the file open (each waits ten seconds for another's
 * write). A file that is no database, another program's, or a newer hone's is refused and left as it is.
 * All calls [any-thread]. Texts of results lie in the caller's arena. (judges.md 1) */
#ifndef HONE_CORE_JUDGE_BOOK_H
#define HONE_CORE_JUDGE_BOOK_H
#include "base/arena.h"
#include "base/error.h"

enum { HONE_BOOK_SCHEMA = 1 };

typedef struct hone_book hone_book;

/* The path that is meant: `path`, else HONE_JUDGES, else judges.sqlite in the current folder. Borrowed. */
const char *hone_book_where(const char *path);
/* Opens the file of hone_book_where(path), made where it is not there. E_REFUSED: another program's file, or a newer one;
 * E_PARSE: no database, or a damaged one. */
hone_status hone_book_open(const char *path, hone_book **out);
/* The same without making or writing: *out is NULL when there is no file. */
hone_status hone_book_look(const char *path, hone_book **out);
void hone_book_close(
    hone_book *b); /* NULL is allowed; what was not committed is as it was before */
const char *hone_book_path(const hone_book *b);
/* For questions that are not asked below. Between begin and commit, or from one thread. */
struct sqlite3 *hone_book_db(hone_book *b);
/* The present time as it is stored everywhere: "2026-01-31T23:59:59Z". */
void hone_book_now(char out[21]);

/* Several calls as one: all of them or none. Other threads wait; may not be nested. A commit that fails has rolled back. */
hone_status hone_book_begin(hone_book *b);
hone_status hone_book_commit(hone_book *b);
void hone_book_rollback(hone_book *b);

/* ---- rubrics, judges, items ---------------------------------------------------------------------------------- */

/* Known by their hashes; one that is there already is left alone. */
hone_status hone_book_put_rubric(hone_book *b, const char *hash, hone_str id, hone_str version,
                                 hone_str json);
hone_status hone_book_put_spec(hone_book *b, const char *hash, hone_str json);
/* 1 and the text; 0: not there. */
hone_status hone_book_get_rubric(hone_book *b, const char *hash, hone_arena *arena, hone_str *json);
hone_status hone_book_get_spec(hone_book *b, const char *hash, hone_arena *arena, hone_str *json);

/* An item by its id, with its row as JSON. The same id with another row is E_EXISTS: labels that were given to the one would
 * be taken for the other's. */
hone_status hone_book_put_item(hone_book *b, hone_str id, hone_str prompt_id, hone_str json);
hone_status hone_book_get_item(hone_book *b, hone_str id, hone_arena *arena, hone_str *prompt_id,
                               hone_str *json); /* 1 or 0 */
/* A batch of items to label, and an expert, as JSON that their owner understands; a later text replaces the earlier. */
hone_status hone_book_put_batch(hone_book *b, hone_str id, hone_str json);
hone_status hone_book_put_expert(hone_book *b, hone_str id, hone_str json);

/* ---- calls and verdicts --------------------------------------------------------------------------------------- */

/* One answer of a judge. `key` is a hash over spec, inputs, repetition and order (judge/ask.h makes it). */
typedef struct hone_book_verdict {
    const char *key, *spec, *input; /* hex of SHA-256 each */
    hone_str item, order;           /* order: the candidates' numbers as JSON, "[1,0]" */
    uint32_t repeat, status;        /* HONE_VERDICT_* */
    hone_str json;                  /* the verdict row */
    hone_str raw;                   /* the judge's own words, where it gives them */
    double cost, latency_ms;
    uint64_t tokens_in, tokens_out;
} hone_book_verdict;
/* Replaces what has the key; adds a row to call, which is never replaced. */
hone_status hone_book_put_verdict(hone_book *b, const hone_book_verdict *v);
hone_status hone_book_get_verdict(hone_book *b, const char *key, hone_arena *arena,
                                  hone_str *json); /* 1 or 0 */

/* ---- labels ------------------------------------------------------------------------------------------------------ */

typedef struct hone_label {
    hone_str item, expert;
    double score;       /* NaN: none */
    hone_str choice;    /* "a", "b", "tie"; empty: none */
    hone_str criteria;  /* JSON map of criterion -> value; empty: none */
    hone_str prompt_id; /* the cluster */
    double seconds;     /* it took; NaN: unknown */
    hone_str at;        /* ISO 8601; empty: now */
    hone_str batch, comment, split;
    double probability; /* with which the item was selected; NaN: unknown */
    int duplicate; /* the same expert was asked before, to see how far an expert agrees with himself */
    hone_str slices; /* JSON map of further columns; empty: none */
} hone_label;
/* A label with neither score, choice nor criteria, a score that is not finite, an unknown choice or split, a probability
 * outside (0, 1], or an item or expert without a name is E_INVALID, and none of the n is stored. A later label of the same
 * item, expert and `duplicate` takes the place of the earlier one, which is kept. */
hone_status hone_book_put_labels(hone_book *b, const hone_label *labels, size_t n);
/* Present labels in the order in which they were given; the strings are good until fn returns, whose failure ends it. `batch`
 * and `expert` may be NULL: all. Returns how many, at most INT32_MAX. */
typedef hone_status (*hone_label_fn)(void *ctx, const hone_label *label);
hone_status hone_book_labels(hone_book *b, const char *batch, const char *expert, hone_label_fn fn,
                             void *ctx);
/* What leads settled, as labels: `expert` is the lead, `comment` the note, and slices have "settled": true and "settles": the
 * experts whose labels it settles, "ann, bob". Experts' own labels are not among them. */
hone_status hone_book_settled(hone_book *b, const char *batch, hone_label_fn fn, void *ctx);
/* Takes a present label back: 1, or 0 when there is none. */
hone_status hone_book_drop_label(hone_book *b, hone_str item, hone_str expert, int duplicate);

/* ---- measurements ---------------------------------------------------------------------------------------------- */

/* A report (JUDGE's JSON documents) of kind "calibration" goes to calibration_run, of any other kind to probe_run. *id may be
 * NULL. */
hone_status hone_book_put_run(hone_book *b, const char *kind, const char *spec, hone_str json,
                              int64_t *id);
/* The newest of that kind of the judge `spec` (NULL: of any): 1 with text and time, or 0. */
hone_status hone_book_last_run(hone_book *b, const char *kind, const char *spec, hone_arena *arena,
                               hone_str *json, hone_str *at);
/* The test split of the labels `data` (a hash) is read once more: *times is how often it was, this time among them. */
hone_status hone_book_count_test(hone_book *b, const char *data, int64_t *times);

/* ---- decisions ---------------------------------------------------------------------------------------------------- */

typedef struct hone_gate_row {
    int64_t id;
    hone_str key, policy,
        spec;         /* the judge as instance, the policy's checksum, the judge's spec hash */
    hone_str verdict; /* "GO", "GO with conditions", "NO-GO" */
    hone_str at, expires;
    hone_str json;   /* the whole record */
    hone_str seal;   /* of all the above: gate.h */
    hone_str voided; /* why it does not hold any more, or empty */
} hone_gate_row;
hone_status hone_book_put_gate(hone_book *b, const hone_gate_row *row, int64_t *id);
/* The newest decision about the key, whatever it says: 1 or 0. `policy` NULL: for any. */
hone_status hone_book_get_gate(hone_book *b, const char *key, const char *policy, hone_arena *arena,
                               hone_gate_row *out);
/* Decisions about the key do not hold from now on; how many there were. */
hone_status hone_book_void_gate(hone_book *b, const char *key, const char *why);
#endif
