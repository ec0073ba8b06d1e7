/* A second symbol leaves the file.
 * validate: library.symbols fail exports 1 symbols besides
 * score: survives */
#include "hostile.h"
HONE_EXPORT int hostile_helper(void);
int hostile_helper(void)
{
    return 1;
}
