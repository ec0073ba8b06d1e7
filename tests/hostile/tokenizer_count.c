/* More ids than it has.
 * validate: instance.call crash encode of
 * call: any */
#define ON_TEXT n_ids += 1 << 26;
#include "hostile_tokenizer.h"
