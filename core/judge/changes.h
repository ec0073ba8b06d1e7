/* changes.h - what differs between two data tables (data.h): prompts, rubrics, settings.
 *
 * Both trees are walked together. Texts are compared by line, maps by key; entries of lists of maps that have an `id` each
 * are matched by it, so that a criterion that moved is told as such and not as another; other lists by place. */
#ifndef HONE_CORE_JUDGE_CHANGES_H
#define HONE_CORE_JUDGE_CHANGES_H
#include "base/json.h"

/* For people; nothing when the two are the same:
 *   messages[1].content
 *     - Answer.
 *     + Answer in one sentence.
 * Lines that both have are left out. [any-thread] */
hone_status hone_changes_text(const hone_value *a, const hone_value *b, hone_buf *out);
/* A list of {"place":"","removed":[texts],"added":[texts]}, in the same order. */
hone_status hone_changes_json(const hone_value *a, const hone_value *b, hone_jw *w);
#endif
