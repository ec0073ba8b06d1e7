/* A default outside its own range.
 * validate: library.load fail x
 * score: refuses x */
#define FIELDS HONE_F64("x", 5, 0, 1, 0, "too large"),
#include "hostile.h"
