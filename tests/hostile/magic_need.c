/* Needs a host of the far future.
 * validate: library.load fail magic.need is 9.0.0
 * score: refuses magic.need */
#define MAGIC                                                                                      \
    {                                                                                              \
        sizeof(hone_magic), HONE_EPOCH, HONE_SDK_VERSION, 0x090000, 8, 4, 4, 0                     \
    }
#include "hostile.h"
