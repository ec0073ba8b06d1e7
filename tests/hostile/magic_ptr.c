/* Pointers of four bytes.
 * validate: library.load fail magic.ptr_size is 4
 * score: refuses magic.ptr_size */
#define MAGIC                                                                                      \
    {                                                                                              \
        sizeof(hone_magic), HONE_EPOCH, HONE_SDK_VERSION, 0x000100, 4, 4, 4, 0                     \
    }
#include "hostile.h"
