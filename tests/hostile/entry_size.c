/* An entry of eight bytes.
 * validate: library.load fail entry.struct_size is 8
 * score: refuses entry.struct_size */
#define ENTRY                                                                                      \
    {                                                                                              \
        8, 0, &magic, COMPONENTS, NULL, NULL, NULL                                                 \
    }
#include "hostile.h"
