/* A component without create.
 * validate: library.load fail create is NULL
 * score: refuses create is NULL */
#define CREATE NULL
#include "hostile.h"
