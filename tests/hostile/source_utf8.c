/* Text that is no UTF-8.
 * validate: instance.call fail no UTF-8
 * data: refuses no UTF-8 */
#define ON_BATCH b->text[7] = (char)0xff;
#include "hostile_source.h"
