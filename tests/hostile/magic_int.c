/* Integers of two bytes.
 * validate: library.load fail magic.int_size is 2
 * score: refuses magic.int_size */
#define MAGIC                                                                                      \
    {                                                                                              \
        sizeof(hone_magic), HONE_EPOCH, HONE_SDK_VERSION, 0x000100, 8, 2, 4, 0                     \
    }
#include "hostile.h"
