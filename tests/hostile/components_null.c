/* No table of components.
 * validate: library.load fail component table is NULL
 * score: refuses component table is NULL */
#define ENTRY                                                                                      \
    {                                                                                              \
        sizeof(hone_entry), 0, &magic, NULL, NULL, NULL, NULL                                      \
    }
#define COMPONENTS NULL
#include "hostile.h"
