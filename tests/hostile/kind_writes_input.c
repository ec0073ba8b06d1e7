/* Writes into the lines it was lent.
 * validate: instance.call crash read-only: the array in
 * call: any */
#define ON_LINE ((text_line *)(size_t)line)->kind = 1;
#include "hostile_kind.h"
