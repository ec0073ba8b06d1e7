/* Goes on elsewhere than where it was: a row is lost at every seek.
 * validate: source.seek fail others than straight
 * data: survives "number":39 */
#define ON_SEEK                                                                                    \
    if (at > 0 && at < ROWS)                                                                       \
        at++;
#include "hostile_source.h"
