/* A magic block that is too small.
 * validate: library.load fail magic.struct_size is 8
 * score: refuses magic.struct_size */
#define MAGIC                                                                                      \
    {                                                                                              \
        8, HONE_EPOCH, HONE_SDK_VERSION, 0x000100, 8, 4, 4, 0                                      \
    }
#include "hostile.h"
