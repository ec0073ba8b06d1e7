/* Gives a batch after its end.
 * validate: source.schema fail a batch after the end
 * data: survives "number":39 */
#define ON_NEXT                                                                                    \
    if (my->at >= ROWS && my->ended++)                                                             \
        my->at = 0;
#include "hostile_source.h"
