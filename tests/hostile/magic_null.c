/* No magic block at all.
 * validate: library.load fail magic is NULL
 * score: refuses magic is NULL */
#define ENTRY                                                                                      \
    {                                                                                              \
        sizeof(hone_entry), 0, NULL, COMPONENTS, NULL, NULL, NULL                                  \
    }
#include "hostile.h"
