/* Takes results to be as far apart as its own struct is large.
 * validate: fuzz.larger fail wrote past the end of element 0 of the array out
 * call: survives */
#define OUT_AT(i) (&out[i])
#include "hostile_kind.h"
