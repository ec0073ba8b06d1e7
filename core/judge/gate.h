/* gate.h - may this judge drive training? Lines, a verdict, a record.
 *
 * Evidence goes in as the JSON documents of calibration, reliability, attack and lint; out comes one line a question, each
 * decided by the bound of its figure's interval and not by the figure itself, with what would mend it most cheaply. A figure
 * that is not there fails its line: what was not measured is not passed.
 *
 *   GO                    every line passes
 *   GO with conditions    every line passes, but with fewer than 300 labels (or 60 of a class) or with warnings: what to watch
 *   NO-GO                 a line fails
 *
 * A record is bound to the key of the judge as an instance (key.h: component, file, settings, spec with rubric, prompt,
 * decoding and model) and to the checksum of the policy that training begins with; it expires, is voided by drift, and carries a
 * seal, a hash over all of it, so that one that was changed is not taken. A seal tells changes, not forgeries: who may
 * write the store may decide anyway.
 *
 * Does not measure anything. Source: judges.md section 9. */
#ifndef HONE_CORE_JUDGE_GATE_H
#define HONE_CORE_JUDGE_GATE_H
#include "base/json.h"
#include "judge/book.h"
#include "judge/figure.h"

enum { HONE_GATE_VERSION = 1, HONE_GATE_LINES = 24, HONE_GATE_CONDITIONS = 16 };
enum { HONE_GATE_NO_GO = 0, HONE_GATE_CONDITIONAL = 1, HONE_GATE_GO = 2 };
/* Which lines: a judge's; or those of reward-model heads and `similarity`, which no rubric and no words stand behind. */
enum { HONE_GATE_JUDGE = 0, HONE_GATE_HEAD = 1 };

typedef struct hone_gate_evidence {
    const hone_value *calibration, *reliability, *attack, *lint; /* documents, or NULL */
    int lines;                  /* HONE_GATE_JUDGE, HONE_GATE_HEAD */
    const char *spec;           /* of the judge; documents that name another are refused */
    const char *key, *policy;   /* hex; policy "": unknown, which fails a line */
    const char *judge, *rubric; /* its name, for texts; "id@hash" of its rubric, or "" */
    double
        repeats; /* calls a sample in training; 0: 1. What was measured with more is brought down to it */
    double age_days; /* how long the record holds; 0: 90 */
    const char *now; /* "2026-01-31T23:59:59Z" */
} hone_gate_evidence;

typedef struct hone_gate_line {
    const char *line;  /* "agreement", "rho", ... */
    const char *asks;  /* the question, in words */
    hone_figure value; /* with the end that was compared below */
    double bound;
    int above; /* 1: the lower end must be above (at least) it; 0: the upper end below (at most) it; -1: no number */
    int passed;
    char text[256];   /* what it came to, in words */
    char remedy[320]; /* "" where it passed */
} hone_gate_line;

typedef struct hone_gate {
    hone_gate_line lines[HONE_GATE_LINES];
    size_t n;
    char conditions[HONE_GATE_CONDITIONS][256];
    size_t n_conditions;
    int verdict;
    char at[21], expires[21];
    hone_arena arena; /* reasons */
} hone_gate;

const char *hone_gate_verdict_name(int verdict);
/* E_INVALID for a document of another kind, judge or policy; E_TYPE for one that is malformed. [any-thread] */
hone_status hone_gate_decide(const hone_gate_evidence *e, hone_gate *out);
void hone_gate_release(hone_gate *g);
/* {"kind":"gate","verdict",...}: the record as JSON; as text for people. */
hone_status hone_gate_json(const hone_gate *g, const hone_gate_evidence *e, hone_buf *out);
hone_status hone_gate_text(const hone_gate *g, const hone_gate_evidence *e, hone_buf *out);
/* Puts it into the book, sealed. */
hone_status hone_gate_keep(const hone_gate *g, const hone_gate_evidence *e, hone_book *b,
                           int64_t *id);

/* ---- asking for a record ------------------------------------------------------------------------------------------------ */

typedef struct hone_gate_record {
    int64_t id;
    int verdict;
    char at[21], expires[21];
    hone_str conditions; /* JSON list */
} hone_gate_record;
/* Is there a record for this key and policy that holds at the time `now`? 1, or 0 with `why` in words (there is none; NO-GO;
 * expired; voided; of another policy; changed since; of another version). `b` NULL: there is no store. */
hone_status hone_gate_find(hone_book *b, const char *key, const char *policy, const char *now,
                           hone_arena *arena, hone_gate_record *out, char why[256]);
#endif
