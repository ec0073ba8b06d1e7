/* arrow_rows.h - cells of Arrow batches as hone_values. Internal to core/train. */
#ifndef HONE_CORE_TRAIN_ARROW_ROWS_H
#define HONE_CORE_TRAIN_ARROW_ROWS_H
#include "abi/arrow.h"
#include "base/json.h"

/* Row `i` of the batch as a map; `name` (of the source) is put in errors. */
hone_status hone__arrow_row(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                            int64_t i, const char *name, hone_arena *arena, hone_value *row);
#endif
