/* Built for another epoch.
 * validate: library.load fail magic.epoch is 2
 * score: refuses magic.epoch */
#define MAGIC                                                                                      \
    {                                                                                              \
        sizeof(hone_magic), 2, HONE_SDK_VERSION, 0x000100, 8, 4, 4, 0                              \
    }
#include "hostile.h"
