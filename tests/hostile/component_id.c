/* An id that is no reverse DNS name.
 * validate: library.load fail is no reverse DNS name
 * score: refuses no reverse DNS */
#define ID "me"
#include "hostile.h"
