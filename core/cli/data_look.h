/* data_look.h - what `hone data info` says of rows as training data. See data_look.c. */
#ifndef HONE_CORE_CLI_DATA_LOOK_H
#define HONE_CORE_CLI_DATA_LOOK_H
#include "base/json.h"
#include "train/policy.h"

typedef struct hone_look hone_look;
/* side: tokens and masks with this model's tokenizer and template, or NULL; borrowed. format: the form that all
 * rows have (borrowed), or NULL: recognised. masks: rows to be shown. */
hone_status hone_look_create(const hone_text_side *side, const char *format, int64_t masks,
                             hone_look **out);
void hone_look_destroy(hone_look *l); /* NULL allowed */
hone_status hone_look_row(hone_look *l, const hone_value *row);
void hone_look_json(const hone_look *l, hone_jw *w); /* members of the open map */
void hone_look_text(const hone_look *l, int colour, hone_buf *b);
#endif
