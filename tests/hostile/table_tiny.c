/* A table of interfaces that says it has 3 bytes.
 * validate: instance.create fail struct_size is 3
 * score: refuses does not offer */
#define TABLE                                                                                      \
    {                                                                                              \
        3, 0, SCORE, NULL, NULL                                                                    \
    }
#include "hostile.h"
