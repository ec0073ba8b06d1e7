/* Takes any bytes for a position.
 * validate: source.bad_position fail bytes by chance
 * data: survives "number":39 */
#define SIZE_OF_POSITION n
#define ON_SEEK                                                                                    \
    if (n && n != 8)                                                                               \
        at = 0;
#include "hostile_source.h"
