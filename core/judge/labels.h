/* labels.h - experts at work: who they are, what each is to look at next, what they said.
 *
 * A labelling stands in a book (book.h): batches of items with the probability each was selected with, and for every expert of
 * a batch a list of tasks in an order of their own. A tenth of the tasks are repeats, for how far an expert agrees with
 * themselves; which side of a pair stands left is drawn for every task. Both are functions of (seed, batch, expert): nothing
 * about a task tells whether it is a repeat, and nothing about an item but its texts reaches an expert.
 *
 * What an expert does arrives as events (label, skip, undo), each with an id that the page made. An event is one transaction;
 * the same id again is acknowledged and changes nothing, so a page may send until it hears. All events stay; labels go to
 * expert_label as JUDGE's label row says, sides turned back to the item's own order.
 *
 * A batch is of one rubric. With another rubric the same items can be labelled again, in batches of its own: the new label of an
 * expert takes the place of the old one, which stays in the book.
 *
 * Tokens: 256 random bits; the book holds their SHA-256, and all of them are compared, each in constant time.
 * Not here: HTTP and pages (web/label_page.h), choosing the items of a batch (judge/choose.h), files (judge/label_file.h).
 * All calls [any-thread]: one at a time inside. (judges.md section 11) */
#ifndef HONE_CORE_JUDGE_LABELS_H
#define HONE_CORE_JUDGE_LABELS_H
#include "base/json.h"
#include "judge/book.h"
#include "judge/rubric.h"

enum { HONE_LABELS_EXPERTS = 64, HONE_LABEL_TOKEN = 44, HONE_LABEL_SKIPS = 4 };
extern const char
    *const hone_label_skips[HONE_LABEL_SKIPS + 1]; /* reasons for skipping; ends with NULL */

typedef struct hone_labels hone_labels;

/* `rubric` is borrowed. Its shape must be pointwise or pairwise. */
hone_status hone_labels_open(hone_book *book, const hone_rubric *rubric, uint64_t seed,
                             hone_labels **out);
/* The rubric of the newest batch: 1, or 0 when there is none. */
hone_status hone_labels_last_rubric(hone_book *book, hone_rubric **out);
void hone_labels_close(hone_labels *l); /* NULL is allowed; the book stays open */

/* A text that the labelling keeps: "id" is its own, made once; the server keeps its port. 1, or 0 when there is none. */
hone_status hone_labels_fact(hone_labels *l, const char *name, char *out, size_t size);
hone_status hone_labels_set_fact(hone_labels *l, const char *name, const char *value);

/* ---- batches ------------------------------------------------------------------------------------------------- */

typedef struct hone_label_pick {
    const hone_value *row; /* the item */
    hone_str id, prompt_id;
    double probability;
    const char *why; /* "uniform", "entropy", ...: choose.h */
} hone_label_pick;
/* Stores the items and the batch; `pool` is how many items there were to choose from. E_EXISTS: an id that the book knows with
 * another row. */
hone_status hone_labels_add_batch(hone_labels *l, const hone_label_pick *picks, size_t n,
                                  size_t pool);
/* The newest batch: its name, how many items it has; 0 when there is none. */
hone_status hone_labels_batch(hone_labels *l, char name[32], int64_t *items);
/* Was the item in a batch already? 1 or 0. */
hone_status hone_labels_knows(hone_labels *l, hone_str item);
/* Are there tasks nobody has done yet? Of all experts and batches. */
hone_status hone_labels_open_tasks(hone_labels *l, int64_t *n);
/* Is the row an item of this shape? E_INVALID says what it lacks. */
hone_status hone_labels_check_item(const hone_labels *l, const hone_value *row);

/* ---- experts -------------------------------------------------------------------------------------------------- */

typedef struct hone_label_expert {
    int64_t id;
    char name[64];
    int lead;   /* sees progress and conflicts of all */
    int labels; /* has tasks */
} hone_label_expert;
/* Adds an expert, or finds one; `lead` and `labels` are added to what they were. 1 and a new token when the expert is new or
 * `renew` says so, else 0. */
hone_status hone_labels_expert(hone_labels *l, const char *name, int lead, int labels, int renew,
                               char token[HONE_LABEL_TOKEN]);
/* The token of an expert is good no more. */
hone_status hone_labels_revoke(hone_labels *l, const char *name);
/* Whose token it is: 1 and *out, or 0. */
int hone_labels_who(hone_labels *l, hone_str token, hone_label_expert *out);
/* Makes the tasks of every labelling expert in the newest batch, where they are not there yet. */
hone_status hone_labels_deal(hone_labels *l);

/* ---- what the page asks (members of the open map) -------------------------------------------------------------- */

/* Rubric, shape, whose page it is, how much is done. */
hone_status hone_labels_put_task(hone_labels *l, const hone_label_expert *e, hone_jw *w);
/* Tasks at places [from, from + n) of the expert, with texts, and the expert's own answer where there is one. At most about
 * `bytes` of them. */
hone_status hone_labels_put_items(hone_labels *l, const hone_label_expert *e, int64_t from,
                                  int64_t n, size_t bytes, hone_jw *w);
/* Takes {"events":[...]}: accepted and refused ids. E_PARSE, E_INVALID when it is not that at all; an event that cannot be
 * taken is among the refused with the reason, and the others are taken. */
hone_status hone_labels_take(hone_labels *l, const hone_label_expert *e, const hone_value *body,
                             hone_jw *w);
/* Of all experts: for the lead and `--json`. */
hone_status hone_labels_put_status(hone_labels *l, hone_jw *w);
/* Items on which experts disagree, the most first, with what each said. At most n of them. A lead who labels too is not
 * told of items that wait for his own label, nor any item's id. */
hone_status hone_labels_put_conflicts(hone_labels *l, const hone_label_expert *e, int64_t n,
                                      hone_jw *w);
/* The lead's own word on an item where experts differ: {"id": hex, "labels": [ids of all its labels, as conflicts tell them], "level"
 * | "choice" | "criteria", "note"}. It is a row of its own, in place of an earlier one of the item, which stays; experts'
 * labels are not touched. The same id again is acknowledged. E_STATE: the labels have changed since; E_INVALID: it is no answer,
 * there are not two labels, or the item is not this lead's to see yet. */
hone_status hone_labels_settle(hone_labels *l, const hone_label_expert *e, const hone_value *body,
                               hone_jw *w);
#endif
