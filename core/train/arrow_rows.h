/* arrow_rows.h - cells of Arrow batches as hone_values. Internal to core/train. */
#ifndef HONE_CORE_TRAIN_ARROW_ROWS_H
#define HONE_CORE_TRAIN_ARROW_ROWS_H
#include "base/json.h"
#include "hone/arrow.h"

/* Is this a schema whose batches can be read: a struct of columns of known types? E_UNSUPPORTED naming
 * column and format, E_INVALID when the struct is broken. */
hone_status hone__arrow_check_schema(const struct ArrowSchema *schema);
/* Does the batch have the schema's shape: children, lengths, buffers? E_MISBEHAVED. */
hone_status hone__arrow_check_batch(const struct ArrowSchema *schema,
                                    const struct ArrowArray *batch);
/* Row `i` of the batch as a map; `name` (of the source) is put in errors. */
hone_status hone__arrow_row(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                            int64_t i, const char *name, hone_arena *arena, hone_value *row);
#endif
