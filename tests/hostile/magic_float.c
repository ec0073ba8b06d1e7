/* Floats of eight bytes.
 * validate: library.load fail magic.float_size is 8
 * score: refuses magic.float_size */
#define MAGIC                                                                                      \
    {                                                                                              \
        sizeof(hone_magic), HONE_EPOCH, HONE_SDK_VERSION, 0x000100, 8, 4, 8, 0                     \
    }
#include "hostile.h"
